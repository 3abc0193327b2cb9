import type { Check } from '../../../plan/checks';
import { queryOne, queryRows, type Session } from '../../postgres/session';
import { mayHideJobs, seenJobs } from '../../quarantine/cron-jobs';
import { counted, evidenceOf, named } from '../findings';
import { script } from '../remedy';
import { databaseCheck, type In, RELATION, type Sight, USER_SCHEMAS } from '../sql-check';

/** So much of a job's command is shown. */
const COMMAND_CHARACTERS = 80;

const exists = async (session: Session, table: string): Promise<boolean> =>
  (await queryOne<{ found: boolean }>(session, 'SELECT to_regclass($1) IS NOT NULL AS found', [table])).found;

interface Job {
  readonly id: string;
  readonly schedule: string;
  readonly command: string;
}

/** What of `cron.job` there is in a database. */
interface Jobs {
  /** Active ones that we see. */
  readonly jobs: readonly Job[];
  /** There may be others, which row-level security hides from us. */
  readonly hidden: boolean;
}

/** Jobs of pg_cron would run twice, on the source and on its copy. */
export const cronJobs = databaseCheck<Jobs>(
  'cron-jobs',
  async (session) => {
    if (!(await exists(session, 'cron.job'))) return [];
    const jobs = (await seenJobs(session))
      .filter(({ active }) => active)
      .map(({ id, schedule, command }) => ({ id, schedule, command: command.slice(0, COMMAND_CHARACTERS) }));
    return [{ jobs, hidden: await mayHideJobs(session) }];
  },
  (found, sight) => {
    const jobs = found.flatMap(({ database, jobs }) => jobs.map((job) => ({ ...job, database })));
    const hiding = found.filter(({ hidden }) => hidden).map(({ database }) => database);
    return [judgeSeen(jobs, sight), ...(hiding.length > 0 ? [hiddenJobs(hiding, sight)] : [])];
  },
);

function judgeSeen(found: readonly In<Job>[], { plan }: Sight): Check {
  const code = 'cron-jobs';
  if (found.length === 0) return { code, level: 'ok', message: 'no job of pg_cron is active' };
  const lines = found.map(({ id, schedule, command }) => `${id} (${schedule}): ${command}`);
  const evidence = evidenceOf(lines);
  if (plan.carry.cronJobs === 'move') {
    return {
      code,
      level: 'ok',
      message: `${counted(found.length, 'job')} of pg_cron, which run on the target from the cutover on, and no more on the source`,
      evidence,
    };
  }
  return {
    code,
    level: 'block',
    message: `${counted(found.length, 'job')} of pg_cron: ${named(lines)}. They would run on the source and on its copy.`,
    remedy: script(
      found.map(({ database, id }) => ({ database, sql: `UPDATE cron.job SET active = false WHERE jobid = ${id};` })),
      'or let them move in the cutover, in the plan: carry: { cronJobs: move }',
    ),
    evidence,
  };
}

/** Neither the quarantine nor the cutover can set inactive what the master user does not see. */
const hiddenJobs = (databases: readonly string[], { username }: Sight): Check => ({
  code: 'cron-jobs',
  level: 'block',
  message: `Row-level security shows ${username} only its own jobs of pg_cron in ${named(databases)}, and others may have some. Active jobs of others would run on the target, too, as soon as the quarantine ends, and Keyshift could stop them on neither side.`,
  remedy: [
    '-- as each role that may have jobs: SELECT jobid, schedule, command FROM cron.job WHERE active;',
    '-- it may end its own: SELECT cron.unschedule(<jobid>); to keep a job, let the master user schedule it instead',
    '-- if there are none, or running twice does no harm: override cron-jobs in the plan, with the reason',
  ].join('\n'),
});

/** pg_partman makes and drops partitions by itself. */
const PARTMAN_CONFIG = `SELECT ${RELATION} AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relname = 'part_config' AND c.relkind = 'r' AND ${USER_SCHEMAS}
    AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'automatic_maintenance')`;

interface Maintained {
  readonly config: string;
  readonly parent: string;
}

/**
 * Partition sets that pg_partman maintains by itself: its background worker, or a job that calls its procedure, makes
 * and drops partitions on the source, which are not on the target then.
 */
export const partitionMaintenance = databaseCheck<Maintained>(
  'partition-maintenance',
  async (session) => {
    const [config] = await queryRows<{ name: string }>(session, PARTMAN_CONFIG);
    if (!config) return [];
    return queryRows<Maintained>(
      session,
      `SELECT $1 AS config, parent_table::text AS parent FROM ${config.name} WHERE automatic_maintenance = 'on' ORDER BY 2`,
      [config.name],
    );
  },
  (found) => {
    const code = 'partition-maintenance';
    if (found.length === 0) return { code, level: 'ok', message: 'nothing makes or drops partitions by itself' };
    const lines = found.map(({ database, parent }) => `${database}: ${parent}`);
    const configs = [...new Map(found.map((one) => [`${one.database} ${one.config}`, one])).values()];
    return {
      code,
      level: 'warn',
      message: `pg_partman maintains ${counted(found.length, 'table')} by itself: ${named(lines)}. Partitions that it makes on the source meanwhile are not on the target, and park the cutover; make enough of them in advance.`,
      remedy: script(
        configs.map(({ database, config }) => ({
          database,
          sql: `UPDATE ${config} SET automatic_maintenance = 'off' WHERE automatic_maintenance = 'on';`,
        })),
        'after the migration, on the target: automatic_maintenance = on',
      ),
      evidence: evidenceOf(lines),
    };
  },
);
