import {
  type DBInstance,
  paginateDescribePendingMaintenanceActions,
  type PendingMaintenanceAction,
} from '@aws-sdk/client-rds';
import type { Check } from '../../plan/checks';
import type { Aws } from '../dependencies';
import { named } from './findings';

const DAY_MS = 86_400_000;
const MINUTES_A_DAY = 1_440;
/** Maintenance within this falls into an ordinary migration. */
const SOON_DAYS = 14;
/** A server certificate that ends within this may end before the source does. */
const CERTIFICATE_DAYS = 30;
/** Authorities whose certificates have run out: RDS restores nothing with them. */
const DEAD_AUTHORITIES = ['rds-ca-2015', 'rds-ca-2019'];

/**
 * Modifications that wait for the maintenance window. A migration can't leave them alone: RDS applies the whole queue with the next change that is made
 * immediately, and giving the source its parameter group is one.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ModifyInstance.ApplyImmediately.html
 */
export function checkPendingModifications(source: DBInstance): Check {
  const code = 'pending-modifications';
  const id = source.DBInstanceIdentifier ?? '';
  const pending = Object.entries(source.PendingModifiedValues ?? {}).filter(
    ([name, value]) => value !== undefined && name !== 'MasterUserPassword',
  );
  if (pending.length === 0) return { code, level: 'ok', message: `no modification of ${id} is pending` };
  const list = pending.map(([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : value}`);
  return {
    code,
    level: 'block',
    message: `Modifications of ${id} are pending (${named(list)}). RDS applies them, with the outage that they bring, as soon as Keyshift changes anything of the instance.`,
    remedy: `# when an outage suits you:\naws rds modify-db-instance --db-instance-identifier ${id} --apply-immediately`,
    evidence: { pending: Object.fromEntries(pending) },
  };
}

/** Maintenance that RDS will do by itself within the next days. */
export async function checkPendingMaintenance(aws: Aws, source: DBInstance, now = Date.now()): Promise<Check> {
  const code = 'pending-maintenance';
  const id = source.DBInstanceIdentifier ?? '';
  const actions: PendingMaintenanceAction[] = [];
  const input = { ResourceIdentifier: source.DBInstanceArn };
  for await (const page of paginateDescribePendingMaintenanceActions({ client: aws.rds }, input)) {
    actions.push(...(page.PendingMaintenanceActions ?? []).flatMap((one) => one.PendingMaintenanceActionDetails ?? []));
  }
  const dated = actions.map((one) => ({
    action: one.Action ?? '',
    description: one.Description ?? '',
    on: dateOf(one),
  }));
  const soon = dated.filter(({ on }) => on !== undefined && on.getTime() < now + SOON_DAYS * DAY_MS);
  const tell = ({ action, on }: (typeof dated)[number]) =>
    on ? `${action} on ${on.toISOString()}` : `${action}, undated`;
  const evidence = {
    actions: dated.map(({ action, description, on }) => ({ action, description, on: on?.toISOString() ?? null })),
  };
  if (soon.length === 0) {
    const message =
      dated.length === 0 ? `no maintenance of ${id} is pending` : `pending for ${id}: ${named(dated.map(tell))}`;
    return { code, level: 'ok', message, ...(dated.length === 0 ? {} : { evidence }) };
  }
  return {
    code,
    level: 'warn',
    message: `RDS will do maintenance on ${id} within ${SOON_DAYS} days: ${named(soon.map(tell))}. It may restart the instance in the middle of the migration.`,
    remedy: soon
      .map(
        ({ action }) =>
          `aws rds apply-pending-maintenance-action --resource-identifier ${source.DBInstanceArn} --apply-action ${action} --opt-in-type immediate`,
      )
      .join('\n'),
    evidence,
  };
}

/** When RDS does it by itself at the latest; undefined: only when somebody asks for it. */
const dateOf = ({
  CurrentApplyDate,
  AutoAppliedAfterDate,
  ForcedApplyDate,
}: PendingMaintenanceAction): Date | undefined => CurrentApplyDate ?? AutoAppliedAfterDate ?? ForcedApplyDate;

/** Backups of the source: the target keeps their settings, and a snapshot waits while one is made. */
export function checkBackups(source: DBInstance, now = new Date()): Check {
  const code = 'backups';
  const id = source.DBInstanceIdentifier ?? '';
  const { BackupRetentionPeriod: days = 0, PreferredBackupWindow: window = '' } = source;
  const copies = (source.DBInstanceAutomatedBackupsReplications ?? []).flatMap(
    ({ DBInstanceAutomatedBackupsArn }) => DBInstanceAutomatedBackupsArn ?? [],
  );
  const evidence = { retentionDays: days, window, replications: copies };
  if (days === 0) {
    return {
      code,
      level: 'warn',
      message: `Automated backups of ${id} are off, and would be on the target: from the cutover on there is no way to any point in time, and no read replica can be made.`,
      remedy: `# a short outage:\naws rds modify-db-instance --db-instance-identifier ${id} --backup-retention-period 7 --apply-immediately`,
      evidence,
    };
  }
  if (copies.length > 0) {
    return {
      code,
      level: 'warn',
      message: `Automated backups of ${id} are replicated to another region (${named(copies)}): those of the target are not, until you start it.`,
      remedy: `# after the cutover, in the other region: aws rds start-db-instance-automated-backups-replication --source-db-instance-arn <ARN of the target> --kms-key-id <key of that region> --backup-retention-period ${days}`,
      evidence,
    };
  }
  const running = isWithin(window, now) ? '; it is open now, and a snapshot waits until the backup is made' : '';
  return {
    code,
    level: 'ok',
    message: `backups of ${id} are kept for ${days} day${days === 1 ? '' : 's'}, made at ${window} UTC${running}`,
    evidence,
  };
}

/** Whether a window such as `23:45-00:15` is open, in UTC. */
export function isWithin(window: string, now: Date): boolean {
  const match = /^(\d\d):(\d\d)-(\d\d):(\d\d)$/.exec(window);
  if (!match) return false;
  const [fromHour = 0, fromMinute = 0, toHour = 0, toMinute = 0] = match.slice(1).map(Number);
  const from = fromHour * 60 + fromMinute;
  const length = (toHour * 60 + toMinute - from + MINUTES_A_DAY) % MINUTES_A_DAY;
  const at = now.getUTCHours() * 60 + now.getUTCMinutes();
  return (at - from + MINUTES_A_DAY) % MINUTES_A_DAY < length;
}

/** The certificate of the source, whose authority the target gets, too. */
export function checkCertificate(source: DBInstance, now = Date.now()): Check {
  const code = 'certificate';
  const id = source.DBInstanceIdentifier ?? '';
  const authority = source.CertificateDetails?.CAIdentifier ?? source.CACertificateIdentifier ?? '';
  const until = source.CertificateDetails?.ValidTill;
  const evidence = { authority, validTill: until?.toISOString() ?? null };
  const dead = DEAD_AUTHORITIES.includes(authority);
  const ends = until !== undefined && until.getTime() < now + CERTIFICATE_DAYS * DAY_MS;
  if (!dead && !ends) {
    return {
      code,
      level: 'ok',
      message: `certificate of ${id}: ${authority}, until ${until?.toISOString() ?? 'unknown'}`,
      evidence,
    };
  }
  return {
    code,
    level: 'warn',
    message: dead
      ? `${id} has a certificate of ${authority}, an authority that has run out: RDS doesn't give it to a new instance, and clients that verify don't connect.`
      : `The certificate of ${id} (${authority}) ends on ${until?.toISOString()}: connections that verify it break then, ours among them.`,
    remedy: `aws rds modify-db-instance --db-instance-identifier ${id} --ca-certificate-identifier rds-ca-rsa2048-g1 --apply-immediately`,
    evidence,
  };
}
