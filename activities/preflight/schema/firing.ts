import { postgresName } from '../../../plan/names';
import { outOfReach } from '../../postgres/extension-tables';
import { queryRows } from '../../postgres/session';
import { membershipIn } from '../check-privileges';
import { counted, evidenceOf, named } from '../findings';
import { script } from '../remedy';
import { databaseCheck, RELATION, USER_SCHEMAS } from '../sql-check';

interface Firing {
  readonly table: string;
  readonly name: string;
  readonly kind: 'TRIGGER' | 'RULE';
  /** A: always; R: only in a replica. */
  readonly enabled: 'A' | 'R';
}

/**
 * Apply runs as a replica: ordinary triggers and rules don't fire there, but these do. `ENABLE ALWAYS` has fired on the
 * source already, and what it did there is replicated, too: twice.
 */
export const alwaysTriggers = databaseCheck<Firing>(
  'always-triggers',
  (session) =>
    queryRows(
      session,
      `SELECT ${RELATION} AS "table", format('%I', t.tgname) AS name, t.tgenabled AS enabled
         FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT t.tgisinternal AND t.tgenabled IN ('A', 'R') AND ${USER_SCHEMAS}
        ORDER BY 1, 2`,
    ),
  (found) => {
    const code = 'always-triggers';
    if (found.length === 0)
      return {
        code,
        level: 'ok',
        message: 'no trigger fires for replicated rows: what they did on the source is replicated',
      };
    const lines = found.map(
      ({ database, table, name, enabled }) =>
        `${database}: trigger ${name} on ${table} (ENABLE ${enabled === 'A' ? 'ALWAYS' : 'REPLICA'})`,
    );
    return {
      code,
      level: 'ok',
      message: `${counted(found.length, 'trigger', 'triggers')} that would fire for replicated rows, too, and write twice what is replicated already: ${named(lines)}. On the target they don't fire for those until the switch.`,
      evidence: evidenceOf(lines),
    };
  },
);

interface Secured {
  readonly name: string;
  readonly owner: string;
  /** We have the rights of the owner. */
  readonly member: boolean;
  readonly forced: boolean;
  /** We would see a part of the rows. */
  readonly hidden: boolean;
  /** Its owner, as whom changes are applied from PostgreSQL 16 on, is subject to it. */
  readonly ownerSubject: boolean;
}

/**
 * Row-level security that hides rows from the master user, or that binds even the owner (`FORCE`), as whom apply writes
 * from PostgreSQL 16 on: a comparison would see a part of the table, and apply stops. Tables of RDS's own extensions are a matter of `extension-tables`.
 * @see https://www.postgresql.org/docs/current/logical-replication-security.html
 */
export const rowLevelSecurity = databaseCheck<Secured>(
  'row-level-security',
  (session) =>
    queryRows(
      session,
      `SELECT ${RELATION} AS name, o.rolname AS owner, pg_has_role(o.oid, 'USAGE') AS member, c.relforcerowsecurity AS forced, row_security_active(c.oid) AS hidden,
              c.relforcerowsecurity AND NOT o.rolbypassrls AND NOT o.rolsuper AND current_setting('server_version_num')::int >= 160000 AS "ownerSubject"
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles o ON o.oid = c.relowner
        WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.relrowsecurity AND ${USER_SCHEMAS} AND NOT ${outOfReach()} ORDER BY 1`,
    ),
  (found, { username, version }) => {
    const code = 'row-level-security';
    const hard = found.filter(({ hidden, ownerSubject }) => hidden || ownerSubject);
    if (hard.length === 0) {
      return {
        code,
        level: 'ok',
        message:
          found.length === 0
            ? 'no table has row-level security'
            : `${counted(found.length, 'table')} with row-level security, of which all rows are replicated and compared`,
      };
    }
    const lines = hard.map(({ database, name, forced }) => `${database}: ${name}${forced ? ' (FORCE)' : ''}`);
    return {
      code,
      level: 'block',
      message: `${counted(hard.length, 'table')} whose row-level security binds those who compare and apply: ${named(lines)}. Rows would be left out, or replication stops at the first of them.`,
      remedy: script(
        hard.flatMap(({ database, name, owner, forced, member }) => [
          ...(member ? [] : [{ database, sql: membershipIn(owner, username, version) }]),
          ...(forced ? [{ database, sql: `ALTER TABLE ${name} NO FORCE ROW LEVEL SECURITY;` }] : []),
        ]),
        'the owner is bound no more until you say FORCE ROW LEVEL SECURITY again, on the target after the migration',
      ),
      evidence: evidenceOf(lines),
    };
  },
);

const AT_LOGIN =
  'Those on login fire for our sessions: what one writes on the target, the source does not have, and apply stops at the next row of the same key. Where a fence makes transactions read-only, one that writes lets nobody in.';

/**
 * Event triggers fire for our own DDL, too, on both sides. Those on login, from PostgreSQL 17 on, fire for each session of ours.
 * @see https://www.postgresql.org/docs/current/event-trigger-database-login-example.html
 */
export const eventTriggers = databaseCheck<{ name: string; event: string; enabled: string; calls: string }>(
  'event-triggers',
  (session, { migration }) =>
    queryRows(
      session,
      `SELECT format('%I', e.evtname) AS name, e.evtevent AS event, e.evtenabled AS enabled, e.evtfoid::regproc::text AS calls
         FROM pg_event_trigger e JOIN pg_roles o ON o.oid = e.evtowner
        WHERE e.evtenabled <> 'D' AND o.rolname <> 'rdsadmin' AND NOT starts_with(e.evtname, $1)
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_event_trigger'::regclass AND d.objid = e.oid AND d.deptype = 'e')
        ORDER BY 1`,
      [postgresName(migration)],
    ),
  (found) => {
    const code = 'event-triggers';
    if (found.length === 0) return { code, level: 'ok', message: 'no event trigger fires for what we do' };
    const lines = found.map(({ database, name, event, calls }) => `${database}: ${name} on ${event} calls ${calls}`);
    const atLogin = found.filter(({ event }) => event === 'login').length;
    return {
      code,
      level: atLogin > 0 ? 'block' : 'warn',
      message: `${counted(found.length, 'event trigger')}: ${named(lines)}. They fire for our DDL, too, on the source and on the target, and may refuse it.${atLogin > 0 ? ` ${AT_LOGIN}` : ''}`,
      remedy: script(
        found.map(({ database, name }) => ({ database, sql: `ALTER EVENT TRIGGER ${name} DISABLE;` })),
        atLogin > 0
          ? 'enable them again on the target after the switch; or acknowledge this in the plan, if none of them writes'
          : 'or acknowledge this in the plan, if they let the master user pass',
      ),
      evidence: evidenceOf(lines),
    };
  },
);
