import { fenceSchema } from '../../plan/names';
import { escapeIdentifier, queryRows, type Session } from '../postgres/session';

/** A job of pg_cron. */
export interface CronJob {
  readonly id: string;
  readonly name: string | null;
  readonly schedule: string;
}

const TRIGGER = 'keyshift_keep_off';
const functionName = (migration: string): string => `${escapeIdentifier(fenceSchema(migration))}.keep_off`;

/** The active jobs, if the extension is in this database. It is in one database of a server only. */
export async function activeJobs(session: Session): Promise<CronJob[]> {
  if (!(await hasCron(session))) return [];
  return queryRows<CronJob>(
    session,
    'SELECT jobid::text AS id, jobname AS name, schedule FROM cron.job WHERE active ORDER BY jobid',
  );
}

export async function hasCron(session: Session): Promise<boolean> {
  const rows = await queryRows(session, `SELECT 1 FROM pg_extension WHERE extname = 'pg_cron'`);
  return rows.length > 0;
}

/** Sets jobs active or not. An UPDATE of ours fires the extension's own trigger, so its scheduler hears of it. */
export async function setActive(session: Session, ids: readonly string[], active: boolean): Promise<void> {
  if (ids.length === 0) return;
  await session.query('UPDATE cron.job SET active = $2 WHERE jobid = ANY ($1::bigint[]) AND active <> $2', [
    ids,
    active,
  ]);
}

/**
 * Keeps every job of the target off whatever the source does to its own: `FOR ALL TABLES` publishes `cron.job` too, and an
 * UPDATE there would set `active` here. A trigger that also fires for apply; where the table isn't ours to alter, the watch
 * of the migration sets them inactive again each time that it looks (`keepJobsOff`).
 * @returns whether the trigger could be made
 */
export async function installKeepOff(target: Session, migration: string): Promise<boolean> {
  const [mayAlter] = await queryRows(
    target,
    `SELECT 1 FROM pg_class WHERE oid = 'cron.job'::regclass AND pg_has_role(current_user, relowner, 'USAGE')`,
  );
  if (!mayAlter) return false;
  const keepOff = functionName(migration);
  await target.query(
    `BEGIN;
     CREATE OR REPLACE FUNCTION ${keepOff}() RETURNS trigger LANGUAGE plpgsql AS $keyshift$ BEGIN NEW.active := false; RETURN NEW; END $keyshift$;
     DROP TRIGGER IF EXISTS ${TRIGGER} ON cron.job;
     CREATE TRIGGER ${TRIGGER} BEFORE INSERT OR UPDATE ON cron.job FOR EACH ROW WHEN (NEW.active) EXECUTE FUNCTION ${keepOff}();
     ALTER TABLE cron.job ENABLE ALWAYS TRIGGER ${TRIGGER};
     COMMIT`,
  );
  return true;
}

/** Lets jobs of the target be set active again. */
export async function removeKeepOff(target: Session, migration: string): Promise<void> {
  const [made] = await queryRows(
    target,
    `SELECT 1 FROM pg_trigger WHERE tgname = $1 AND tgrelid = to_regclass('cron.job')`,
    [TRIGGER],
  );
  if (made) await target.query(`DROP TRIGGER ${TRIGGER} ON cron.job`);
  await target.query(`DROP FUNCTION IF EXISTS ${functionName(migration)}()`);
}

/** Sets every job inactive that has become active meanwhile. Returns their ids. */
export async function keepJobsOff(target: Session): Promise<string[]> {
  const active = await activeJobs(target);
  await setActive(
    target,
    active.map(({ id }) => id),
    false,
  );
  return active.map(({ id }) => id);
}
