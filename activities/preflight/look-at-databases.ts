import { ApplicationFailure } from '@temporalio/common';
import type { Check } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import { isSqlState } from '../classify-error';
import { eachOf } from '../each-of';
import { reportProgress } from '../heartbeat';
import { type Access, escapeIdentifier, queryOne, type Session, withSession } from '../postgres/session';
import { SQLSTATE } from '../postgres/sqlstates';
import type { ParameterGroup } from '../rds/find-instance';
import { capacity } from './check-capacity';
import { checkDatabaseList, type DatabaseList, listDatabases } from './check-database-list';
import { checkFence } from './check-fence';
import { checkPrivileges, databaseLacks, type Lack, serverLacks } from './check-privileges';
import { DATABASE_CHECKS, SERVER_CHECKS } from './sql-checks';
import {
  databaseCheck,
  type DatabaseCheck,
  type In,
  isRefusal,
  notMade,
  type ServerCheck,
  type Sight,
} from './sql-check';
import { countTables } from './schema/replica-identity';

const STEP = { step: 'preflight', readOnly: true } as const;
/** Sessions at the same time: enough to hide the round trips, few enough not to be noticed by the source. */
const SESSIONS = 6;
/** What PostgreSQL answers when one database of many lets nobody in. */
const CLOSED = [SQLSTATE.insufficientPrivilege, SQLSTATE.invalidCatalogName, '55000', '53300'];

export interface DatabasesSeen {
  readonly checks: Check[];
  readonly databases: string[];
  readonly tables: number;
  /** Sum of `pg_database_size` of the migrated databases, in bytes. */
  readonly sizeBytes: number;
}

/** Every check that needs a connection to the source, all of them at once. Read-only throughout. */
export async function checkDatabases(
  access: Access,
  plan: Plan,
  parameterGroup: ParameterGroup,
  all: boolean,
): Promise<DatabasesSeen> {
  try {
    return await withSession(access, { ...STEP, database: 'postgres' }, async (session) => {
      const list = await listDatabases(session);
      const sight = { ...(await sightOf(session, access, plan, parameterGroup, list)), all };
      const lacks: Lack[] = [];
      const fence = fenceCheck(access, list);
      const [server, inside] = await Promise.all([
        lookAtServer(session, sight, [privileges(lacks), capacity, ...SERVER_CHECKS, fence]),
        lookInside(access, sight, [privilegesWithin(access, lacks), ...DATABASE_CHECKS]),
      ]);
      return {
        checks: [
          { code: 'source-credentials', level: 'ok', message: `${access.credentials.username} can log in` },
          checkDatabaseList(plan, list),
          ...inside.checks,
          ...server,
        ],
        databases: [...sight.databases],
        tables: inside.tables,
        sizeBytes: sight.sizeBytes,
      };
    });
  } catch (error) {
    const none = { databases: [], tables: 0, sizeBytes: 0 };
    if (isSqlState(error, SQLSTATE.invalidPassword, SQLSTATE.invalidAuthorization))
      return { ...none, checks: [refused(access, plan, error as Error)] };
    if (error instanceof ApplicationFailure && error.type === 'AccessDenied')
      return { ...none, checks: [byIam(access, error.message)] };
    throw error;
  }
}

/** What every check knows. */
export async function sightOf(
  session: Session,
  access: Access,
  plan: Plan,
  { name: parameterGroup, applyStatus }: ParameterGroup,
  { open }: DatabaseList,
): Promise<Sight> {
  const migrated = open.filter(({ name }) => plan.databases?.includes(name) ?? true);
  const { version } = await queryOne<{ version: number }>(
    session,
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  return {
    migration: access.migration,
    plan,
    username: access.credentials.username,
    parameterGroup,
    groupPending: applyStatus === 'pending-reboot',
    databases: migrated.map(({ name }) => name),
    sizeBytes: migrated.reduce((sum, { size }) => sum + Number(size), 0),
    version,
  };
}

/** Checks of the server as a whole. One that is refused doesn't hide the others. */
export async function lookAtServer(session: Session, sight: Sight, checks: readonly ServerCheck[]): Promise<Check[]> {
  const found: Check[] = [];
  for (const check of checks) {
    try {
      found.push(...(await check.look(session, sight)));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      found.push(notMade(check.code, 'the server', error));
    }
  }
  return found;
}

/** What the checks found in all databases. */
export interface Inside {
  readonly checks: Check[];
  readonly tables: number;
}

/** Checks in each database: a few databases at a time, one session each. */
export async function lookInside(access: Access, sight: Sight, checks: readonly DatabaseCheck[]): Promise<Inside> {
  const found = new Map<DatabaseCheck, In<object>[]>(checks.map((check) => [check, []]));
  const failed: Check[] = [];
  let [tables, done] = [0, 0];
  reportProgress(() => ({ waitingFor: `checks in ${sight.databases.length} databases, ${done} done`, tables }));
  await eachOf(sight.databases, SESSIONS, async (database) => {
    await withSession(access, { ...STEP, database }, async (session) => {
      const there = await countTables(session);
      tables += there;
      for (const check of checks) {
        try {
          const rows = await check.look(session, sight);
          found.get(check)?.push(...rows.map((row) => ({ ...row, database })));
        } catch (error) {
          if (!isRefusal(error)) throw error;
          failed.push(notMade(check.code, `database ${database}`, error, check.essential));
        }
      }
    }).catch((error: unknown) => {
      if (!isSqlState(error, ...CLOSED)) throw error;
      failed.push(closed(database, access, error as Error));
    });
    done += 1;
  });
  return {
    checks: [...checks.flatMap((check) => check.judge(inOrder(found.get(check) ?? [], sight), sight)), ...failed],
    tables,
  };
}

/** Databases are looked at side by side, but told of in one order. */
const inOrder = (rows: readonly In<object>[], { databases }: Sight): In<object>[] =>
  databases.flatMap((database) => rows.filter((row) => row.database === database));

/** What the role lacks in the server; judged with what it lacks in the databases. */
const privileges = (lacks: Lack[]): ServerCheck => ({
  code: 'source-privileges',
  look: async (session, { username }) => {
    lacks.push(...(await serverLacks(session, username)));
    return [];
  },
});

export const privilegesWithin = (access: Access, serverWide: readonly Lack[]): DatabaseCheck =>
  databaseCheck<Lack>(
    'source-privileges',
    async (session, { username, plan }) => {
      const { database } = await queryOne<{ database: string }>(session, 'SELECT current_database() AS database');
      return databaseLacks(session, database, username, plan);
    },
    (lacks) => checkPrivileges(access, [...serverWide, ...lacks]),
    { essential: true },
  );

const fenceCheck = (access: Access, { open }: DatabaseList): ServerCheck => ({
  code: 'fence-roles',
  look: (session, { plan }) =>
    checkFence(
      session,
      access,
      plan,
      open.map(({ name }) => name),
    ),
});

function closed(database: string, { credentials }: Access, error: Error): Check {
  const name = escapeIdentifier(database);
  return {
    code: 'source-databases',
    level: 'block',
    message: `Database ${database} can't be looked into: ${error.message}.`,
    remedy: `GRANT CONNECT ON DATABASE ${name} TO ${escapeIdentifier(credentials.username)};\n-- or, if it is the limit on connections that is reached, raise it: ALTER DATABASE ${name} CONNECTION LIMIT -1;`,
  };
}

/** A login that authenticates by IAM has no password that would do. DescribeDBInstances does not tell of it, only the login does. */
function byIam({ credentials: { username } }: Access, message: string): Check {
  return {
    code: 'source-credentials',
    level: 'block',
    message,
    remedy: `-- as a role that may: REVOKE rds_iam FROM ${escapeIdentifier(username)};
-- a master user with MasterUserAuthenticationType iam-db-auth gets a password by: aws rds modify-db-instance --db-instance-identifier <id> --master-user-authentication-type password --manage-master-user-password --apply-immediately
-- or name another secret in source.secret, of a role with a password and the same rights`,
  };
}

function refused({ credentials }: Access, plan: Plan, error: Error): Check {
  const { secret } = plan.source;
  return {
    code: 'source-credentials',
    level: 'block',
    message: `PostgreSQL refuses ${credentials.username} with the password of secret ${secret}: ${error.message}.`,
    remedy: `Put the password that is in force into the secret: aws secretsmanager put-secret-value --secret-id ${secret} --secret-string file://secret.json`,
  };
}
