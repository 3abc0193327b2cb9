import type { Context } from '../context';
import type { CredentialScope } from '../credential-scope';
import { AwsError } from '../errors';
import type { Fault } from '../faults';
import type { Answer, QueryParameters } from '../query-protocol';
import type { InstanceRecord, RdsState, SnapshotRecord, Tag } from './model';

/** One call of an operation of RDS. */
export interface RdsCall {
  readonly context: Context;
  readonly parameters: QueryParameters;
  readonly scope: CredentialScope;
  readonly region: string;
  readonly rds: RdsState;
  /** A fault that makes the work of this call stall. */
  readonly stall: Fault | undefined;
}

/** What an operation answers; nothing for those without a result. */
export type RdsOperation = (call: RdsCall) => Promise<Answer> | Answer;

/** The instance that a call names, or AWS's error. */
export function requireInstance({ rds }: RdsCall, id: string): InstanceRecord {
  const instance = rds.instances[id.toLowerCase()];
  if (!instance) throw new AwsError('DBInstanceNotFound', `DBInstance ${id} not found.`, 404);
  return instance;
}

/** The snapshot that a call names, by identifier or ARN, or AWS's error. */
export function requireSnapshot({ rds, region }: RdsCall, reference: string): SnapshotRecord {
  const prefix = new RegExp(`^arn:aws[\\w-]*:rds:${region}:\\d+:snapshot:`);
  const snapshot = rds.snapshots[reference.replace(prefix, '').toLowerCase()];
  if (!snapshot) throw new AwsError('DBSnapshotNotFound', `DBSnapshot ${reference} not found.`, 404);
  return snapshot;
}

/** Refuses what an instance in this state can't do. */
export function assertInstanceState(instance: InstanceRecord, allowed: readonly string[], message?: string): void {
  if (allowed.includes(instance.status)) return;
  throw new AwsError('InvalidDBInstanceState', message ?? `Instance ${instance.id} is not in available state.`);
}

/** Reads an identifier of a resource that is to be made: AWS stores it in lower case. */
export function newIdentifier({ parameters }: RdsCall, name: string, longest: number): string {
  const text = parameters.required(name);
  if (!/^[a-z](?:-?[a-z0-9])*$/i.test(text) || text.length > longest) {
    throw new AwsError(
      'InvalidParameterValue',
      `The parameter ${name} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens.`,
    );
  }
  return text.toLowerCase();
}

/** The tags of a request. */
export function readTags(parameters: QueryParameters): Tag[] | undefined {
  return parameters.structures('Tags')?.map((tag) => ({ Key: tag.required('Key'), Value: tag.text('Value') ?? '' }));
}
