import type { Check } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import { foreignSessions } from '../cutover/fence';
import { type Access, queryOne, queryRows, type Session, withSession } from '../postgres/session';
import { isSqlState } from '../classify-error';
import { SQLSTATE } from '../postgres/sqlstates';

const STEP = { step: 'preflight', readOnly: true } as const;
/** More tables than this are counted, not named. */
const NAMED = 10;

export interface DatabasesSeen {
  readonly checks: Check[];
  readonly databases: string[];
  readonly tables: number;
  readonly sizeBytes: number;
}

/** Every check that needs a connection to the source. Read-only throughout. */
export async function checkDatabases(access: Access, plan: Plan, migration: string): Promise<DatabasesSeen> {
  const seen = { databases: [] as string[], tables: 0, sizeBytes: 0 };
  const first = await connect(access, plan);
  if ('check' in first) return { ...seen, checks: [first.check] };
  const { list, server, masters } = first;
  const checks: Check[] = [
    { code: 'source-credentials', level: 'ok', message: `${access.credentials.username} can log in` },
    checkPrivileges(access, server),
    ...checkList(plan, list),
  ];
  const databases = list.filter(({ name }) => plan.databases?.includes(name) ?? true).map(({ name }) => name);
  checks.push(checkCapacity(server, databases.length), checkMasters(access, masters));
  const bare: string[] = [];
  let tables = 0;
  for (const database of databases) {
    const found = await withSession(access, { ...STEP, database }, tablesOf);
    tables += found.tables;
    bare.push(...found.bare.map((table) => `${database}: ${table}`));
  }
  checks.push(checkIdentity(tables, bare, migration));
  const sizeBytes = list
    .filter(({ name }) => databases.includes(name))
    .reduce((sum, { size }) => sum + Number(size), 0);
  return { checks, databases, tables, sizeBytes };
}

interface ServerState {
  superuser: boolean;
  publications: boolean;
  replicates: boolean;
  origins: boolean;
  slots: number;
  maxSlots: number;
  senders: number;
  maxSenders: number;
}

interface DatabaseRow {
  name: string;
  size: string;
}

type First = { list: DatabaseRow[]; server: ServerState; masters: string[] };

async function connect(access: Access, plan: Plan): Promise<First | { check: Check }> {
  try {
    return await withSession(access, { ...STEP, database: 'postgres' }, async (session) => ({
      list: await databaseList(session),
      server: await serverState(session),
      masters: (await foreignSessions(session, access.migration, plan.cutover.spareRoles))
        .filter(({ user }) => user === access.credentials.username)
        .map(({ application, client }) => `${application || 'unnamed'} from ${client ?? 'local'}`),
    }));
  } catch (error) {
    const { username } = access.credentials;
    if (isSqlState(error, SQLSTATE.invalidPassword, SQLSTATE.invalidAuthorization)) {
      return {
        check: {
          code: 'source-credentials',
          level: 'block',
          message: `PostgreSQL refuses ${username} with the password of secret ${plan.source.secret}: ${(error as Error).message}.`,
          remedy: `Put the password that is in force into the secret: aws secretsmanager put-secret-value --secret-id ${plan.source.secret} --secret-string file://secret.json`,
        },
      };
    }
    throw error;
  }
}

/** Every database that accepts connections, but templates, RDS's own, and `postgres` when nothing is in it. */
async function databaseList(session: Session): Promise<DatabaseRow[]> {
  return queryRows<DatabaseRow>(
    session,
    `SELECT datname AS name, pg_database_size(oid)::text AS size FROM pg_database
      WHERE datallowconn AND NOT datistemplate AND datname <> 'rdsadmin' ORDER BY datname`,
  );
}

async function serverState(session: Session): Promise<ServerState> {
  return queryOne<ServerState>(
    session,
    `SELECT r.rolsuper AS superuser,
            r.rolsuper OR coalesce((SELECT pg_has_role(current_user, oid, 'member') FROM pg_roles WHERE rolname = 'rds_superuser'), false) AS publications,
            r.rolsuper OR r.rolreplication
              OR coalesce((SELECT pg_has_role(current_user, oid, 'member') FROM pg_roles WHERE rolname IN ('rds_replication') LIMIT 1), false)
              OR coalesce((SELECT pg_has_role(current_user, oid, 'member') FROM pg_roles WHERE rolname = 'rds_superuser'), false) AS replicates,
            has_function_privilege('pg_replication_origin_advance(text, pg_lsn)', 'execute') AS origins,
            (SELECT count(*)::int FROM pg_replication_slots) AS slots,
            current_setting('max_replication_slots')::int AS "maxSlots",
            (SELECT count(*)::int FROM pg_stat_replication) AS senders,
            current_setting('max_wal_senders')::int AS "maxSenders"
       FROM pg_roles r WHERE r.rolname = current_user`,
  );
}

function checkPrivileges(access: Access, server: ServerState): Check {
  const code = 'source-privileges';
  const { username } = access.credentials;
  const lacks = [
    ...(server.publications ? [] : ['membership in rds_superuser (publications, subscriptions, roles)']),
    ...(server.replicates ? [] : ['replication']),
    ...(server.origins ? [] : ['EXECUTE on pg_replication_origin_advance']),
  ];
  if (lacks.length === 0) return { code, level: 'ok', message: `${username} may do everything that is needed` };
  return {
    code,
    level: 'block',
    message: `${username} lacks ${lacks.join(', ')}.`,
    remedy: `Name the secret of the master user in source.secret, or, as the master user: GRANT rds_superuser TO ${username};`,
  };
}

function checkList(plan: Plan, list: readonly DatabaseRow[]): Check[] {
  const code = 'source-databases';
  const names = list.map(({ name }) => name);
  const unknown = plan.databases?.filter((name) => !names.includes(name)) ?? [];
  const left = plan.databases ? names.filter((name) => name !== 'postgres' && !plan.databases?.includes(name)) : [];
  if (unknown.length > 0) {
    return [
      {
        code,
        level: 'block',
        message: `${plan.source.instance} has no database ${unknown.join(', ')} that accepts connections.`,
        remedy: `Correct "databases" in the plan; there are: ${names.join(', ')}.`,
      },
    ];
  }
  if (left.length > 0) {
    return [
      {
        code,
        level: 'warn',
        message: `The target gets ${left.join(', ')} as of the snapshot only: the plan doesn't replicate it.`,
        remedy: 'Leave "databases" out of the plan to replicate all.',
      },
    ];
  }
  return [{ code, level: 'ok', message: `databases: ${(plan.databases ?? names).join(', ')}` }];
}

function checkCapacity(server: ServerState, needed: number): Check {
  const code = 'source-capacity';
  const short = [
    ...(server.slots + needed > server.maxSlots
      ? [`max_replication_slots ${server.maxSlots}, used ${server.slots}`]
      : []),
    ...(server.senders + needed > server.maxSenders
      ? [`max_wal_senders ${server.maxSenders}, used ${server.senders}`]
      : []),
  ];
  if (short.length === 0)
    return { code, level: 'ok', message: `slots and WAL senders for ${needed} databases are free` };
  return {
    code,
    level: 'block',
    message: `The source lacks slots or WAL senders for ${needed} database${needed === 1 ? '' : 's'}: ${short.join('; ')}.`,
    remedy:
      'Raise the parameter in the parameter group of the source and reboot, or drop slots that nobody reads: SELECT * FROM pg_replication_slots WHERE NOT active;',
  };
}

function checkMasters(access: Access, masters: readonly string[]): Check {
  const code = 'fence-roles';
  if (masters.length === 0) return { code, level: 'ok', message: 'no application is connected as the master user' };
  return {
    code,
    level: 'warn',
    message: `Sessions of the master user ${access.credentials.username} that are not ours: ${masters.join(', ')}. The SQL fence can't lock that role out: if they come back in the pause, it is given up.`,
    remedy: 'Give applications a role of their own.',
  };
}

async function tablesOf(session: Session): Promise<{ tables: number; bare: string[] }> {
  const rows = await queryRows<{ name: string; bare: boolean }>(
    session,
    `SELECT n.nspname || '.' || c.relname AS name,
            CASE c.relreplident
              WHEN 'f' THEN false
              WHEN 'n' THEN true
              WHEN 'd' THEN NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid)
              ELSE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisvalid)
            END AS bare
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND c.relpersistence = 'p'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
      ORDER BY 1`,
  );
  return { tables: rows.length, bare: rows.filter(({ bare }) => bare).map(({ name }) => name) };
}

function checkIdentity(tables: number, bare: readonly string[], migration: string): Check {
  const code = 'replica-identity';
  if (bare.length === 0) return { code, level: 'ok', message: `all ${tables} tables have a usable replica identity` };
  const named = bare.slice(0, NAMED).join(', ') + (bare.length > NAMED ? ` and ${bare.length - NAMED} more` : '');
  return {
    code,
    level: 'block',
    message: `${bare.length} table${bare.length === 1 ? ' has' : 's have'} no primary key and no other replica identity: ${named}. UPDATE and DELETE on them would fail on the source as soon as migration ${migration} publishes them.`,
    remedy:
      'For each: ALTER TABLE <table> ADD PRIMARY KEY (<columns>); or ALTER TABLE <table> REPLICA IDENTITY USING INDEX <unique index>; or, which costs more WAL, ALTER TABLE <table> REPLICA IDENTITY FULL;',
  };
}
