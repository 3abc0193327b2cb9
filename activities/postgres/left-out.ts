import { queryRows, type Session } from './session';

/**
 * Databases that are left out, by name and by nothing else: PostgreSQL's templates, which every server has, and RDS's own. What
 * else is marked as a template (`IS_TEMPLATE`, which some use against DROP DATABASE) is a database like any other.
 * @see https://www.postgresql.org/docs/current/manage-ag-templatedbs.html
 */
export const LEFT_OUT_DATABASES = ['template0', 'template1', 'rdsadmin'] as const;

/** A database of a server. */
export interface Database {
  readonly name: string;
  /** Why nobody can connect to it; absent: one can. `invalid`: a DROP DATABASE of it was interrupted. */
  readonly closed?: 'no connections' | 'invalid';
  /** Marked as a template. As long as anybody is connected to it, a walsender included, nothing can be made from it. */
  readonly template: boolean;
}

/** Every database but those that are left out, by name. */
export async function databasesOf(session: Session): Promise<Database[]> {
  const rows = await queryRows<{ name: string; accepts: boolean; invalid: boolean; template: boolean }>(
    session,
    `SELECT datname AS name, datallowconn AS accepts, datconnlimit = -2 AS invalid, datistemplate AS template
       FROM pg_database WHERE datname <> ALL ($1::text[]) ORDER BY datname`,
    [LEFT_OUT_DATABASES],
  );
  return rows.map(({ name, accepts, invalid, template }) => ({
    name,
    template,
    ...(invalid ? { closed: 'invalid' as const } : accepts ? {} : { closed: 'no connections' as const }),
  }));
}
