import type { Check } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import { isSqlState } from '../classify-error';
import { mayBecome, outOfReach } from '../postgres/extension-tables';
import { RDS_LOGINS } from '../postgres/rds-roles';
import { type Access, escapeIdentifier, queryOne, queryRows, type Session } from '../postgres/session';
import { SQLSTATE } from '../postgres/sqlstates';
import { counted, named } from './findings';
import { type Statement, script } from './remedy';
import { bareTables } from './schema/replica-identity';
import { RELATION, USER_SCHEMAS } from './sql-check';

const code = 'source-privileges';
/** More names than this are counted, not listed. */
const NAMED = 5;
/** So many relations one GRANT names; the next preflight has the others. */
const GRANTED = 100;

/** What a role may not do that a migration needs, and the statement that allows it. */
export interface Lack {
  readonly what: string;
  /** As it is run; a comment where no statement does. */
  readonly grant: string;
  /** Who can run it; absent: the role itself. */
  readonly by?: string;
  /** Where it has to be run; absent: in any database. */
  readonly database?: string;
}

/** Who is meant where a role is not the one that RDS made. */
const MASTER = 'the master user';

/**
 * What the master user has to be able to do in the whole server. On RDS membership in `rds_superuser` brings it; on plain
 * PostgreSQL only a superuser has it.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.rds_superuser.html
 */
export async function serverLacks(session: Session, username: string): Promise<Lack[]> {
  const can = await queryOne<{
    publishes: boolean;
    replicates: boolean;
    origins: boolean;
    signals: boolean;
    creates: boolean;
    inherits: boolean;
  }>(
    session,
    `WITH member AS (
       SELECT coalesce(bool_or(pg_has_role(current_user, oid, 'member')) FILTER (WHERE rolname = 'rds_superuser'), false) AS rds_superuser,
              coalesce(bool_or(pg_has_role(current_user, oid, 'member')) FILTER (WHERE rolname = 'rds_replication'), false) AS rds_replication
         FROM pg_roles)
     SELECT r.rolsuper OR m.rds_superuser AS publishes,
            r.rolsuper OR r.rolreplication OR m.rds_superuser OR m.rds_replication AS replicates,
            has_function_privilege('pg_replication_origin_advance(text, pg_lsn)', 'execute') AS origins,
            r.rolsuper OR m.rds_superuser OR pg_has_role(current_user, 'pg_signal_backend', 'member') AS signals,
            r.rolsuper OR r.rolcreaterole AS creates,
            r.rolsuper OR r.rolinherit OR current_setting('server_version_num')::int >= 160000 AS inherits
       FROM pg_roles r, member m WHERE r.rolname = current_user`,
  );
  const user = escapeIdentifier(username);
  const lacking = (may: boolean, what: string, grant: string): Lack[] => (may ? [] : [{ what, grant, by: MASTER }]);
  const role = `GRANT rds_superuser TO ${user};`;
  return [
    ...lacking(can.publishes, 'membership in rds_superuser (publications of all tables, subscriptions)', role),
    ...lacking(can.replicates, 'replication', `GRANT rds_replication TO ${user};`),
    ...lacking(can.origins, 'EXECUTE on pg_replication_origin_advance', role),
    ...lacking(can.signals, 'ending sessions of others', `GRANT pg_signal_backend TO ${user};`),
    ...lacking(can.creates, 'CREATEROLE (the replication role, the fence)', `ALTER ROLE ${user} CREATEROLE;`),
    ...lacking(can.inherits, 'INHERIT: its memberships give it no rights', `ALTER ROLE ${user} INHERIT;`),
  ];
}

/** What is done with things of others, in the words of a check. */
const ACTS = {
  read: ['read', 'table'],
  sequence: ['read and set', 'sequence'],
  apply: ['apply changes (INSERT, UPDATE, DELETE, TRUNCATE) to', 'table'],
  become: ['apply changes, as their owner, to', 'table'],
  truncate: ['apply TRUNCATE to', 'table'],
  unlogged: ['fill', 'unlogged table'],
  list: ['name in a publication, since tables of extensions have to be left out,', 'table'],
  refresh: ['refresh', 'materialized view'],
  trigger: ['switch off triggers of', 'table'],
  identity: ['set the replica identity of', 'table'],
  object: ['copy', 'large object'],
  subscription: ['stop', 'subscription'],
} as const;
type Act = keyof typeof ACTS;

/** Something of one owner that the role may not do. */
interface Missing {
  /** `revoked`: the owner lacks rights on what is its own. */
  readonly act: Act | 'revoked' | 'revoked sequence';
  readonly owner: string;
  readonly count: number;
  readonly named: readonly string[];
  /** The role is a member with the rights of the owner already. */
  readonly member: boolean;
  readonly superuser: boolean;
  /** The role may grant the owner's rights to itself. */
  readonly grants: boolean;
  /** Who may. */
  readonly granters: readonly string[];
}

/**
 * What has to be allowed, by relation. Up to 14 apply asks for no right on a table, in 15 for all four as the owner of the subscription. From 16 on it becomes
 * the owner of the table, who may have revoked rights from itself; but for TRUNCATE, which it does as the owner of the subscription (measured). Comparisons read every table, the pause reads and sets every sequence.
 * Tables that RDS's own extensions made are a matter of `extension-tables`.
 * @see https://www.postgresql.org/docs/current/logical-replication-security.html
 */
const MISSING = `
  WITH me AS MATERIALIZED (
    SELECT oid, rolsuper, rolcreaterole, current_setting('server_version_num')::int AS version FROM pg_roles WHERE rolname = current_user),
  relation AS MATERIALIZED (
    SELECT c.oid, c.relkind, c.relpersistence, c.relispopulated, c.relowner, ${RELATION} AS name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'S', 'm') AND c.relpersistence IN ('p', 'u') AND ${USER_SCHEMAS} AND NOT ${outOfReach()}),
  owner AS MATERIALIZED (
    SELECT o.oid, ${mayBecome('o.oid')} AS becomes FROM (SELECT DISTINCT relowner AS oid FROM relation) o),
  -- A publication names tables where the subscription has to leave some out (listed-tables.ts).
  listing AS MATERIALIZED (
    SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND ${USER_SCHEMAS} AND ${outOfReach()}) AS needed),
  missing AS (
    SELECT need.act, r.relowner AS owner, r.name
      FROM relation r JOIN owner o ON o.oid = r.relowner CROSS JOIN me CROSS JOIN listing
     CROSS JOIN LATERAL (VALUES
       ('revoked', r.relkind = 'r' AND r.relpersistence = 'p' AND (
          NOT has_table_privilege(r.relowner, r.oid, 'SELECT')
          OR me.version >= 150000 AND NOT (has_table_privilege(r.relowner, r.oid, 'INSERT') AND has_table_privilege(r.relowner, r.oid, 'UPDATE')
               AND has_table_privilege(r.relowner, r.oid, 'DELETE') AND has_table_privilege(r.relowner, r.oid, 'TRUNCATE')))),
       ('revoked sequence', r.relkind = 'S' AND NOT (has_sequence_privilege(r.relowner, r.oid, 'SELECT') AND has_sequence_privilege(r.relowner, r.oid, 'UPDATE'))),
       ('read', r.relkind = 'r' AND (r.relpersistence = 'p' OR $1) AND NOT has_table_privilege(r.oid, 'SELECT')),
       ('sequence', r.relkind = 'S' AND NOT (has_sequence_privilege(r.oid, 'SELECT') AND has_sequence_privilege(r.oid, 'UPDATE'))),
       ('apply', me.version BETWEEN 150000 AND 159999 AND r.relkind = 'r' AND r.relpersistence = 'p' AND NOT (
          has_table_privilege(r.oid, 'INSERT') AND has_table_privilege(r.oid, 'UPDATE')
          AND has_table_privilege(r.oid, 'DELETE') AND has_table_privilege(r.oid, 'TRUNCATE'))),
       ('truncate', me.version >= 160000 AND r.relkind = 'r' AND r.relpersistence = 'p' AND NOT has_table_privilege(r.oid, 'TRUNCATE')),
       ('become', me.version >= 160000 AND r.relkind = 'r' AND r.relpersistence = 'p' AND NOT o.becomes),
       ('unlogged', $1 AND r.relkind = 'r' AND r.relpersistence = 'u' AND NOT (has_table_privilege(r.oid, 'INSERT') AND has_table_privilege(r.oid, 'TRUNCATE'))),
       ('list', listing.needed AND r.relkind = 'r' AND r.relpersistence = 'p' AND NOT pg_has_role(r.relowner, 'USAGE')),
       ('refresh', $2 AND r.relkind = 'm' AND r.relispopulated AND NOT o.becomes),
       ('trigger', r.relkind = 'r' AND r.relpersistence = 'p' AND NOT o.becomes AND EXISTS (
          SELECT FROM pg_trigger t WHERE t.tgrelid = r.oid AND t.tgenabled IN ('A', 'R') AND (NOT t.tgisinternal OR t.tgconstraint = 0))),
       ('identity', r.oid = ANY ($3::oid[]) AND NOT o.becomes AND NOT pg_has_role(r.relowner, 'USAGE'))
     ) AS need (act, lacking)
     WHERE need.lacking
     UNION ALL
    SELECT 'object', lomowner, oid::text FROM pg_largeobject_metadata
     WHERE $4 AND NOT (pg_has_role(lomowner, 'USAGE') AND ${mayBecome('lomowner')})
     UNION ALL
    SELECT 'subscription', s.subowner, format('%I', s.subname) FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
     WHERE d.datname = current_database() AND NOT pg_has_role(s.subowner, 'USAGE'))
  SELECT m.act, o.rolname AS owner, count(*)::int AS count, (array_agg(m.name ORDER BY m.name))[1:${GRANTED}] AS named,
         pg_has_role(o.oid, 'USAGE') AS member, o.rolsuper AS superuser,
         me.version < 160000 AND me.rolcreaterole OR pg_has_role(me.oid, o.oid, 'USAGE WITH ADMIN OPTION') AS grants,
         ARRAY(SELECT g.rolname::text FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.member
                WHERE a.roleid = o.oid AND a.admin_option AND g.rolname <> ALL ($5::text[]) ORDER BY 1) AS granters
    FROM missing m JOIN pg_roles o ON o.oid = m.owner CROSS JOIN me
   GROUP BY m.act, o.oid, o.rolname, o.rolsuper, me.oid, me.version, me.rolcreaterole
   ORDER BY o.rolname, m.act`;

/** Lacks that are no matter of an owner. A table is found by its name only where its schema may be used: apply, and CREATE SUBSCRIPTION, need that of all that are published. */
const OTHERS = `
  SELECT 'CREATE on database ' || current_database() AS what,
         format('GRANT CREATE ON DATABASE %I TO ', current_database()) AS "grant", '' AS option, pg_get_userbyid(datdba)::text AS by,
         pg_has_role(datdba, 'USAGE') AS self
    FROM pg_database WHERE datname = current_database() AND NOT has_database_privilege(current_database(), 'CREATE')
   UNION ALL
  SELECT 'USAGE on schema ' || n.nspname, format('GRANT USAGE ON SCHEMA %I TO ', n.nspname), '',
         CASE WHEN o.rolname = 'pg_database_owner' THEN pg_get_userbyid(d.datdba) ELSE o.rolname END::text, pg_has_role(n.nspowner, 'USAGE')
    FROM pg_namespace n JOIN pg_roles o ON o.oid = n.nspowner JOIN pg_database d ON d.datname = current_database()
   WHERE ${USER_SCHEMAS} AND NOT has_schema_privilege(n.oid, 'USAGE')
     AND EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'S') AND c.relpersistence = 'p')
   UNION ALL
  SELECT 'the right to let the replication role connect: PUBLIC may not', format('GRANT CONNECT ON DATABASE %I TO ', current_database()),
         ' WITH GRANT OPTION', pg_get_userbyid(datdba)::text, false
    FROM pg_database
   WHERE datname = current_database() AND NOT has_database_privilege('public', oid, 'CONNECT')
     AND NOT (pg_has_role(datdba, 'USAGE') OR has_database_privilege(oid, 'CONNECT WITH GRANT OPTION'))`;

/** What of the plan decides what else has to be allowed. */
type Carried = Pick<Plan, 'carry' | 'replicaIdentity'>;

/**
 * What it has to be able to do in one database. Each lack has the statement that clears it, and who can run that.
 * @param plan absent: only what every migration needs
 */
export async function databaseLacks(
  session: Session,
  database: string,
  username: string,
  plan?: Carried,
): Promise<Lack[]> {
  const user = escapeIdentifier(username);
  const { version } = await queryOne<{ version: number }>(
    session,
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  const others = await queryRows<{ what: string; grant: string; option: string; by: string; self: boolean }>(
    session,
    OTHERS,
  );
  const bare = plan?.replicaIdentity === 'set' ? await bareTables(session) : [];
  const copied = plan?.carry.unloggedTables === 'copy';
  const missing = await queryRows<Missing>(session, MISSING, [
    copied,
    plan?.carry.materializedViews === 'refresh',
    bare.map(({ oid }) => oid),
    plan?.carry.largeObjects === 'copy',
    [...RDS_LOGINS],
  ]);
  const here = (lack: Lack): Lack => ({ ...lack, what: `${database}: ${lack.what}` });
  return [
    ...others.map(({ what, grant, option, by, self }) => ({
      what,
      grant: `${grant}${user}${option};`,
      ...(self ? {} : { by }),
      database,
    })),
    ...missing.flatMap((one) => (one.act.startsWith('revoked') ? [revoked(one, database)] : [])),
    ...membershipLacks(missing, username, version),
    ...(copied ? await triggerLack(session, user, version) : []),
  ].map(here);
}

/** An owner may take rights on its own table from itself; it can give them back. */
function revoked({ act, owner, count, named: names, member }: Missing, database: string): Lack {
  const [what, rights, kind] =
    act === 'revoked'
      ? ['table', 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE', 'TABLE']
      : ['sequence', 'SELECT, UPDATE', 'SEQUENCE'];
  return {
    what: `rights that ${owner} has revoked from itself, on ${counted(count, what)} (${named(names, NAMED)})`,
    grant: `GRANT ${rights} ON ${kind} ${names.join(', ')} TO ${escapeIdentifier(owner)};`,
    ...(member ? {} : { by: owner }),
    database,
  };
}

/** All that an owner's rights would allow is one lack: the membership in it. */
function membershipLacks(missing: readonly Missing[], username: string, version: number): Lack[] {
  const owners = [...new Set(missing.map(({ owner }) => owner))];
  return owners.flatMap((owner) => {
    // A member that lacks a right on a table lacks it because the owner does.
    const acts = missing.filter(
      ({ owner: of, act, member }) => of === owner && act in ACTS && !(member && OWN_RIGHTS.has(act)),
    );
    const [first] = acts;
    if (!first) return [];
    const list = acts.map(({ act, count, named: names }) => {
      const [verb, noun] = ACTS[act as Act];
      return `${verb} ${counted(count, noun)} (${named(names, NAMED)})`;
    });
    return [{ what: `the rights of ${owner}, to ${list.join(', to ')}`, ...letIn(first, username, version) }];
  });
}

/** Acts that need a right on a table or sequence, and not that one can become its owner. */
const OWN_RIGHTS: ReadonlySet<string> = new Set<Act>(['read', 'sequence', 'apply', 'truncate', 'unlogged']);

/** The membership that brings all rights of a role, with SET and INHERIT, and who can grant it. */
function letIn(
  { owner, superuser, grants, granters }: Missing,
  username: string,
  version: number,
): Pick<Lack, 'grant' | 'by'> {
  if (superuser)
    return {
      grant: `-- nobody can be let into ${owner}, a superuser: let what it owns be dropped or given to another role, or leave this database out of the plan`,
    };
  const grant = membershipIn(owner, username, version);
  if (grants) return { grant };
  if (version < 160000) return { grant, by: 'a role with CREATEROLE' };
  if (granters.length > 0) return { grant, by: `${granters.join(' or ')}, with ADMIN OPTION on ${owner}` };
  return {
    grant,
    by: `a role with ADMIN OPTION on ${owner}; there is none but RDS's own. Or, as ${owner}: REASSIGN OWNED BY ${escapeIdentifier(owner)} TO <a role that ${username} is a member of>;`,
  };
}

/** The statement that makes a role a member of another with all of its rights, whatever the defaults are. */
export const membershipIn = (role: string, member: string, version: number): string =>
  `GRANT ${escapeIdentifier(role)} TO ${escapeIdentifier(member)}${version >= 160000 ? ' WITH INHERIT TRUE, SET TRUE' : ''};`;

/**
 * Unlogged tables are copied without their triggers. Whether the role may say so is tried: RDS allows it to `rds_superuser` in ways that no catalog shows.
 * @see https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-SESSION-REPLICATION-ROLE
 */
async function triggerLack(session: Session, user: string, version: number): Promise<Lack[]> {
  const [unlogged] = await queryRows(
    session,
    `SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND c.relpersistence = 'u' AND ${USER_SCHEMAS} LIMIT 1`,
  );
  if (!unlogged || (await maySetReplicationRole(session))) return [];
  return [
    {
      what: 'setting session_replication_role, so that triggers of unlogged tables do not fire for what is copied',
      ...(version >= 150000
        ? { grant: `GRANT SET ON PARAMETER session_replication_role TO ${user};`, by: 'a superuser' }
        : { grant: '-- before PostgreSQL 15 only RDS allows it; in the plan: carry: { unloggedTables: empty }' }),
    },
  ];
}

async function maySetReplicationRole(session: Session): Promise<boolean> {
  try {
    await session.query('BEGIN; SET LOCAL session_replication_role = replica');
    return true;
  } catch (error) {
    if (!isSqlState(error, SQLSTATE.insufficientPrivilege)) throw error;
    return false;
  } finally {
    await session.query('ROLLBACK');
  }
}

export function checkPrivileges({ credentials }: Access, lacks: readonly Lack[]): Check {
  const { username } = credentials;
  if (lacks.length === 0) return { code, level: 'ok', message: `${username} may do everything that is needed` };
  const own = lacks.filter(({ by, grant }) => by === undefined && !grant.startsWith('--'));
  const statements = own.map(({ grant, database = 'postgres' }) => ({ database, sql: grant }));
  return {
    code,
    level: 'block',
    message: `${username} lacks: ${lacks.map(({ what }) => what).join('; ')}.`,
    remedy: script(
      unique(statements),
      ...new Set(lacks.filter((lack) => !own.includes(lack)).map(forOthers)),
      'or name the secret of the master user in source.secret',
    ),
  };
}

/** A line for people: psql in the name of the role can't run it. */
function forOthers({ grant, by, database }: Lack): string {
  if (by === undefined) return grant.replace(/^-- /, '');
  return `as ${by}${database === undefined ? '' : `, in database ${database}`}: ${grant}`;
}

/** A role is granted once, however many databases need it. */
const unique = (statements: readonly Statement[]): Statement[] => [
  ...new Map(statements.map((one) => [`${one.database} ${one.sql}`, one])).values(),
];
