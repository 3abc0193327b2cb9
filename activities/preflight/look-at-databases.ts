import type { Check } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import { isSqlState } from '../classify-error';
import { reportProgress } from '../heartbeat';
import { type Access, type Session, withSession } from '../postgres/session';
import { SQLSTATE } from '../postgres/sqlstates';
import { type Capacity, checkCapacity, readCapacity } from './check-capacity';
import { checkDatabaseList, type DatabaseRow, listDatabases } from './check-database-list';
import { checkFence } from './check-fence';
import { checkPrivileges, databaseLacks, type Lack, serverLacks } from './check-privileges';
import { checkReplicaIdentity, tablesOf } from './check-replica-identity';
import { checkSubscriptions, listSubscriptions } from './check-subscriptions';

const STEP = { step: 'preflight', readOnly: true } as const;

export interface DatabasesSeen {
  readonly checks: Check[];
  readonly databases: string[];
  readonly tables: number;
  /** Sum of `pg_database_size` of the migrated databases, in bytes. */
  readonly sizeBytes: number;
}

/** Every check that needs a connection to the source. Read-only throughout. */
export async function checkDatabases(access: Access, plan: Plan): Promise<DatabasesSeen> {
  const server = await lookAtServer(access, plan);
  if ('check' in server) return { databases: [], tables: 0, sizeBytes: 0, checks: [server.check] };
  const migrated = server.list.filter(({ name }) => plan.databases?.includes(name) ?? true);
  const databases = migrated.map(({ name }) => name);
  const lacks = [...server.lacks];
  const bare: string[] = [];
  let tables = 0;
  for (const database of databases) {
    reportProgress(() => ({ waitingFor: `checks in database ${database}`, tables }));
    await withSession(access, { ...STEP, database }, async (session) => {
      lacks.push(...(await databaseLacks(session, database, access.credentials.username)));
      const found = await tablesOf(session);
      tables += found.tables;
      bare.push(...found.bare.map((table) => `${database}: ${table}`));
    });
  }
  return {
    checks: [
      { code: 'source-credentials', level: 'ok', message: `${access.credentials.username} can log in` },
      checkPrivileges(access, lacks),
      checkDatabaseList(plan, server.list),
      checkCapacity(server.capacity, databases.length),
      checkSubscriptions(server.subscriptions),
      checkReplicaIdentity(tables, bare),
      ...server.fence,
    ],
    databases,
    tables,
    sizeBytes: migrated.reduce((sum, { size }) => sum + Number(size), 0),
  };
}

interface ServerSeen {
  readonly list: DatabaseRow[];
  readonly lacks: Lack[];
  readonly capacity: Capacity;
  readonly subscriptions: string[];
  readonly fence: Check[];
}

async function lookAtServer(access: Access, plan: Plan): Promise<ServerSeen | { check: Check }> {
  const look = async (session: Session): Promise<ServerSeen> => {
    const list = await listDatabases(session);
    return {
      list,
      lacks: await serverLacks(session, access.credentials.username),
      capacity: await readCapacity(session),
      subscriptions: await listSubscriptions(session),
      fence: await checkFence(
        session,
        access,
        plan,
        list.map(({ name }) => name),
      ),
    };
  };
  try {
    return await withSession(access, { ...STEP, database: 'postgres' }, look);
  } catch (error) {
    if (!isSqlState(error, SQLSTATE.invalidPassword, SQLSTATE.invalidAuthorization)) throw error;
    const { secret } = plan.source;
    return {
      check: {
        code: 'source-credentials',
        level: 'block',
        message: `PostgreSQL refuses ${access.credentials.username} with the password of secret ${secret}: ${(error as Error).message}.`,
        remedy: `Put the password that is in force into the secret: aws secretsmanager put-secret-value --secret-id ${secret} --secret-string file://secret.json`,
      },
    };
  }
}
