import { queryRows } from '../../postgres/session';
import { counted, evidenceOf, named } from '../findings';
import { script } from '../remedy';
import { databaseCheck } from '../sql-check';

const code = 'worker-settings';

interface Taken {
  readonly name: string;
  /** What an apply worker would take. */
  readonly value: string;
  /** The statement that has it take something else. */
  readonly sql: string;
}

/** What each of them does to apply. Not here: what apply workers set themselves (`search_path`, `session_replication_role`) or have no use for (`statement_timeout`). */
const DOES: Readonly<Record<string, string>> = {
  array_nulls: 'writes a NULL inside an array as the text NULL, in silence',
  xmloption: 'refuses XML that is no whole document',
  lc_monetary: 'reads money otherwise than the source has written it',
  transaction_timeout: 'ends in the middle of a transaction that takes longer, again and again',
  role: 'has the rights of that role only',
  lock_timeout: 'begins a transaction anew that waits longer for a lock',
};
const HARMLESS = ['lock_timeout'];

/**
 * An apply worker logs in as the owner of its subscription, the master user, and takes that role's defaults: `ALTER ROLE ... IN DATABASE` before
 * `ALTER ROLE`, `ALTER DATABASE`, the parameter group. A session of ours on the source logs in as the same role, so `reset_val` is what a worker gets.
 * Money is spelt by `lc_monetary`: of the replication role where it is read, of the master user where it is applied.
 * @see https://www.postgresql.org/docs/current/config-setting.html#CONFIG-SETTING-SQL
 */
const TAKEN = `
  WITH me AS (SELECT r.oid, r.rolname, d.oid AS database FROM pg_roles r, pg_database d WHERE r.rolname = session_user AND d.datname = current_database()),
       said AS (
         SELECT split_part(one, '=', 1) AS name, substr(one, strpos(one, '=') + 1) AS value, s.setrole, s.setdatabase,
                row_number() OVER (PARTITION BY split_part(one, '=', 1) ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC) AS rank
           FROM pg_db_role_setting s JOIN me ON s.setrole IN (0, me.oid) AND s.setdatabase IN (0, me.database), unnest(s.setconfig) AS one),
       taken AS (
         SELECT name, reset_val || coalesce(unit, '') AS value,
                CASE name WHEN 'array_nulls' THEN 'on' WHEN 'xmloption' THEN 'content' ELSE '0' END AS good
           FROM pg_settings
          WHERE reset_val <> CASE name WHEN 'array_nulls' THEN 'on' WHEN 'xmloption' THEN 'content' ELSE '0' END
            AND name IN ('array_nulls', 'xmloption', 'transaction_timeout', 'lock_timeout')
          UNION ALL
         -- One that the master user may not take is passed over, with a warning in the log.
         SELECT said.name, said.value, 'none' FROM me, said JOIN pg_roles r ON r.rolname = said.value
          WHERE said.name = 'role' AND said.rank = 1 AND r.oid <> me.oid
            AND pg_has_role(me.oid, r.oid, CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END))
  SELECT name, value, format('ALTER ROLE %I IN DATABASE %I SET %I = %L;', session_user, current_database(), name, good) AS sql FROM taken
   UNION ALL
  SELECT name, value, format('ALTER ROLE %I%s RESET lc_monetary;', session_user, CASE WHEN setdatabase <> 0 THEN format(' IN DATABASE %I', current_database()) END)
    FROM said
   WHERE name = 'lc_monetary' AND setrole <> 0
     AND EXISTS (SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                  WHERE a.atttypid IN ('money'::regtype, 'money[]'::regtype) AND NOT a.attisdropped AND c.relkind = 'r')
   ORDER BY 1, 3`;

/** Defaults of the master user that would change what apply writes, or end it. */
export const workerSettings = databaseCheck<Taken>(
  code,
  (session) => queryRows<Taken>(session, TAKEN),
  (found, { username }) => {
    if (found.length === 0) return { code, level: 'ok', message: 'no default changes what apply writes, or ends it' };
    const lines = found.map(({ database, name, value }) => `${database}: ${name} = ${value}`);
    const does = [...new Set(found.map(({ name }) => name))].map((name) => `with this ${name} it ${DOES[name]}`);
    // Whoever has lost its own rights by one of them can't run the others.
    const first = (database: string) =>
      found.some((one) => one.database === database && one.name === 'role') ? 'SET ROLE NONE; ' : '';
    return {
      code,
      level: found.every(({ name }) => HARMLESS.includes(name)) ? 'warn' : 'block',
      message: `${counted(found.length, 'default')} of ${username} that apply would take: ${named(lines)}. On the target, and on the way back: ${does.join('; ')}.`,
      remedy: script(
        found.map(({ database, sql }) => ({ database, sql: `${first(database)}${sql}` })),
        `for ${username} only, before all other defaults; they come along. After the migration: ALTER ROLE ... RESET, on the target`,
      ),
      evidence: evidenceOf(lines),
    };
  },
);
