import { AwsError } from './errors';
import type { Fault, Faults } from './faults';
import type { CallNames } from './iam/resources';

/** Things that operations make: which members of other requests name one, and what AWS answers while it doesn't know it. */
const SNAPSHOT = {
  named: ['DBSnapshotIdentifier', 'SourceDBSnapshotIdentifier'],
  code: 'DBSnapshotNotFound',
  what: 'DBSnapshot',
};
const INSTANCE = {
  named: ['DBInstanceIdentifier', 'SourceDBInstanceIdentifier'],
  code: 'DBInstanceNotFound',
  what: 'DBInstance',
};
const PARAMETER_GROUP = {
  named: ['DBParameterGroupName'],
  code: 'DBParameterGroupNotFound',
  what: 'DBParameterGroup',
};
const SECRET = { named: ['SecretId'], code: 'ResourceNotFoundException', what: 'Secret' };

type Kind = typeof SNAPSHOT;

/** The operations that make something, and the member that names it. */
const MADE_BY: Readonly<Record<string, { readonly kind: Kind; readonly by: string }>> = {
  CreateDBSnapshot: { kind: SNAPSHOT, by: 'DBSnapshotIdentifier' },
  CopyDBSnapshot: { kind: SNAPSHOT, by: 'TargetDBSnapshotIdentifier' },
  DeleteDBInstance: { kind: SNAPSHOT, by: 'FinalDBSnapshotIdentifier' },
  CreateDBInstance: { kind: INSTANCE, by: 'DBInstanceIdentifier' },
  RestoreDBInstanceFromDBSnapshot: { kind: INSTANCE, by: 'DBInstanceIdentifier' },
  CreateDBInstanceReadReplica: { kind: INSTANCE, by: 'DBInstanceIdentifier' },
  CreateDBParameterGroup: { kind: PARAMETER_GROUP, by: 'DBParameterGroupName' },
  CreateSecret: { kind: SECRET, by: 'Name' },
};

interface Unseen {
  readonly kind: Kind;
  readonly id: string;
  readonly fault: Fault;
  firstLookAt?: number;
}

/**
 * Reads that lag behind writes: what an operation has made under a fault `unseen` is not known to other calls that name it, until `delayMs` after the
 * first of them. Making it again is refused as ever.
 * @see https://docs.aws.amazon.com/AWSEC2/latest/APIReference/query-api-troubleshooting.html#eventual-consistency
 */
export class EventualConsistency {
  #unseen: Unseen[] = [];

  constructor(private readonly faults: Faults) {}

  /** An operation has taken effect. */
  made(operation: string, { text }: CallNames): void {
    const made = MADE_BY[operation];
    const id = made && text(made.by);
    if (!made || id === undefined) return;
    const fault = this.faults.unseenOf(operation);
    if (fault) this.#unseen.push({ kind: made.kind, id: id.toLowerCase(), fault });
  }

  /** @throws AwsError when the call names something that isn't seen yet */
  refuse(operation: string, { text }: CallNames): void {
    const now = Date.now();
    for (const one of this.#unseen) {
      const { kind, id } = one;
      const names = kind.named.filter((member) => MADE_BY[operation]?.by !== member);
      if (!names.some((member) => text(member)?.toLowerCase() === id)) continue;
      one.firstLookAt ??= now;
      if (now - one.firstLookAt >= one.fault.delayMs || !this.faults.list().includes(one.fault)) {
        this.#unseen = this.#unseen.filter((other) => other !== one);
        continue;
      }
      throw new AwsError(kind.code, `${kind.what} ${id} not found.`, kind === SECRET ? 400 : 404);
    }
  }
}
