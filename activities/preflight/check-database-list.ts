import type { Check } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import { type Database, databasesOf, LEFT_OUT_DATABASES } from '../postgres/left-out';
import { escapeIdentifier, queryOne, queryRows, type Session } from '../postgres/session';
import { counted } from './findings';

const code = 'source-databases';

export interface DatabaseRow {
  readonly name: string;
  /** `pg_database_size`, in bytes; a bigint, so text. */
  readonly size: string;
  readonly template: boolean;
}

/** The databases of the source, and what the plan may leave out of it. */
export interface DatabaseList {
  /** Those that accept connections, by name. */
  readonly open: readonly DatabaseRow[];
  /** Those that nobody can connect to, by name. */
  readonly closed: readonly Database[];
  /** Tables and sequences of users in the database `postgres`. */
  readonly inPostgres: number;
}

/** Relations that belong neither to PostgreSQL nor to an extension nor to a migration of ours. */
const OF_USERS = `SELECT count(*)::int AS count FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'm', 'S') AND n.nspname !~ '^(pg_|keyshift_)' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`;

/** @param session in the database `postgres` */
export async function listDatabases(session: Session): Promise<DatabaseList> {
  const databases = await databasesOf(session);
  const names = databases.flatMap(({ name, closed }) => (closed ? [] : [name]));
  const { count } = await queryOne<{ count: number }>(session, OF_USERS);
  const open = await queryRows<DatabaseRow>(
    session,
    `SELECT datname AS name,
            CASE WHEN has_database_privilege(oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE')
                 THEN pg_database_size(oid) ELSE 0 END::text AS size, datistemplate AS template
       FROM pg_database WHERE datname = ANY ($1::text[]) ORDER BY datname`,
    [names],
  );
  return { open, closed: databases.filter(({ closed }) => closed), inPostgres: count };
}

/** Every database is replicated or said to be left out, whatever the reason; where data would be lost, the check blocks. */
export function checkDatabaseList(plan: Plan, { open, closed, inPostgres }: DatabaseList): Check {
  const names = open.map(({ name }) => name);
  const wanted = plan.databases ?? names;
  const unknown = wanted.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    return {
      code,
      level: 'block',
      message: `${plan.source.instance} has no database ${unknown.join(', ')} that accepts connections.`,
      remedy: `Correct "databases" in the plan; there are: ${names.join(', ')}.`,
    };
  }
  const isLost = (name: string) => name !== 'postgres' || inPostgres > 0;
  const unwanted = names.filter((name) => !wanted.includes(name));
  const left = unwanted.filter(isLost);
  const never = `left out by name: ${LEFT_OUT_DATABASES.join(', ')}`;
  if (left.length === 0 && closed.length === 0) {
    const templates = open.filter(({ name, template }) => template && wanted.includes(name));
    const made = templates.map(({ name }) => `; CREATE DATABASE ... TEMPLATE ${name} fails while it is replicated`);
    const empty = unwanted.length > 0 ? '; postgres is left out by the plan, and is empty' : '';
    return { code, level: 'ok', message: `databases: ${wanted.join(', ')}; ${never}${empty}${made.join('')}` };
  }
  return {
    code,
    // What is written to them meanwhile would be on the source only, and that is deleted in the end.
    level: plan.keep.source ? 'warn' : 'block',
    message: [
      ...left.map(
        (name) =>
          `The target gets ${name} as of the snapshot only: the plan doesn't replicate it${inside(name, inPostgres)}.`,
      ),
      ...closed.map(
        (one) => `${one.name} is not replicated: ${whyClosed(one)}. The target gets it as of the snapshot.`,
      ),
      `Databases ${never}.`,
    ].join(' '),
    remedy: [
      ...(left.length > 0
        ? ['-- leave "databases" out of the plan to replicate all, or keep the source: keep.source: true']
        : []),
      ...closed.map(openingOf),
    ].join('\n'),
  };
}

const inside = (name: string, count: number): string =>
  name === 'postgres' ? ` (${counted(count, 'table or sequence', 'tables and sequences')})` : '';

const whyClosed = ({ closed }: Database): string =>
  closed === 'invalid' ? 'a DROP DATABASE of it was interrupted, and it is invalid' : 'it does not accept connections';

const openingOf = ({ name, closed }: Database): string =>
  closed === 'invalid'
    ? `-- it can only be dropped: DROP DATABASE ${escapeIdentifier(name)};`
    : `ALTER DATABASE ${escapeIdentifier(name)} ALLOW_CONNECTIONS true;`;
