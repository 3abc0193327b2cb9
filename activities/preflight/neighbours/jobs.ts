import { queryOne, queryRows } from '../../postgres/session';
import { counted, evidenceOf, named } from '../findings';
import { script } from '../remedy';
import { databaseCheck, RELATION, USER_SCHEMAS } from '../sql-check';
import type { Session } from '../../postgres/session';

const exists = async (session: Session, table: string): Promise<boolean> =>
  (await queryOne<{ found: boolean }>(session, 'SELECT to_regclass($1) IS NOT NULL AS found', [table])).found;

interface Job {
  readonly id: string;
  readonly schedule: string;
  readonly command: string;
}

/** Jobs of pg_cron would run twice, on the source and on its copy. */
export const cronJobs = databaseCheck<Job>(
  'cron-jobs',
  async (session) =>
    (await exists(session, 'cron.job'))
      ? queryRows<Job>(
          session,
          `SELECT jobid::text AS id, schedule, left(command, 80) AS command FROM cron.job WHERE active ORDER BY jobid`,
        )
      : [],
  (found, { plan }) => {
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
  },
);

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
