import type { QueryResult } from 'pg';
import { fenceSchema } from '../../plan/names';
import { isSqlState } from '../classify-error';
import { outOfReach } from '../postgres/extension-tables';
import { notOfRds } from '../postgres/rds-roles';
import { escapeIdentifier, queryOne, queryRows, type Session } from '../postgres/session';
import { SQLSTATE } from '../postgres/sqlstates';

/** A job of pg_cron. */
export interface CronJob {
  readonly id: string;
  readonly name: string | null;
  readonly schedule: string;
}

const TRIGGER = 'keyshift_keep_off';
const functionName = (migration: string): string => `${escapeIdentifier(fenceSchema(migration))}.keep_off`;

/**
 * Runs a statement with row-level security as it is for everybody. It is off in our sessions, so that none of them sees a part of a table without knowing:
 * `cron.job` can't be read so, since it shows everybody their own jobs only.
 */
async function asSeen<Row extends object>(session: Session, statement: string): Promise<Row[]> {
  try {
    const results = await session.query(`BEGIN; SET LOCAL row_security = on; ${statement}; COMMIT`);
    return (results as unknown as QueryResult<Row>[])[2]?.rows ?? [];
  } catch (error) {
    await session.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** The active jobs that we see, if the extension is in this database. It is in one database of a server only. */
export async function activeJobs(session: Session): Promise<CronJob[]> {
  return (await hasCron(session)) ? (await seenJobs(session)).filter(({ active }) => active) : [];
}

/** A job as its row is. */
export interface SeenJob extends CronJob {
  readonly active: boolean;
  readonly command: string;
  /** What else decides what it does, as text. */
  readonly rest: string;
}

/** The jobs that we see, where `cron.job` is there. */
export const seenJobs = (session: Session): Promise<SeenJob[]> =>
  asSeen<SeenJob>(
    session,
    `SELECT j.jobid::text AS id, to_jsonb(j) ->> 'jobname' AS name, j.schedule, j.active, j.command,
            concat_ws(' ', to_jsonb(j) ->> 'database', to_jsonb(j) ->> 'username', to_jsonb(j) ->> 'nodename') AS rest
       FROM cron.job j ORDER BY j.jobid`,
  );

/**
 * Whether there may be jobs of others, which row-level security hides from us: others may schedule jobs, or there are more rows than we see, by the statistics.
 */
export async function mayHideJobs(session: Session): Promise<boolean> {
  const seen = (await seenJobs(session)).length;
  const { hides } = await queryOne<{ hides: boolean }>(
    session,
    `SELECT row_security_active(c.oid) AND pg_relation_size(c.oid) > 0 AND (pg_stat_get_live_tuples(c.oid) > $1 OR EXISTS (
              SELECT FROM pg_roles r WHERE r.rolcanlogin AND NOT r.rolsuper AND r.rolname <> current_user AND ${notOfRds('r.rolname')}
                 AND has_schema_privilege(r.oid, c.relnamespace, 'USAGE'))) AS hides
       FROM pg_class c WHERE c.oid = 'cron.job'::regclass`,
    [seen],
  );
  return hides;
}

/** Whether `cron.job` is there and belongs to RDS, so that no change of a job is replicated. */
export async function jobsStay(session: Session): Promise<boolean> {
  const rows = await queryRows(
    session,
    `SELECT 1 FROM pg_class c WHERE c.oid = to_regclass('cron.job') AND ${outOfReach()}`,
  );
  return rows.length > 0;
}

export async function hasCron(session: Session): Promise<boolean> {
  const rows = await queryRows(session, `SELECT 1 FROM pg_extension WHERE extname = 'pg_cron'`);
  return rows.length > 0;
}

/**
 * Sets jobs active or not. An UPDATE of ours fires the extension's own trigger, so its scheduler hears of it; who may not UPDATE may still ask pg_cron to do it.
 */
export async function setActive(session: Session, ids: readonly string[], active: boolean): Promise<void> {
  if (ids.length === 0) return;
  const those = `jobid IN (${ids.map((id) => BigInt(id)).join(', ')}) AND active <> ${active}`;
  try {
    await asSeen(session, `UPDATE cron.job SET active = ${active} WHERE ${those}`);
  } catch (error) {
    if (!isSqlState(error, SQLSTATE.insufficientPrivilege)) throw error;
    await asSeen(session, `SELECT cron.alter_job(job_id := jobid, active := ${active}) FROM cron.job WHERE ${those}`);
  }
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
