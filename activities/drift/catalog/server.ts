import { notOfRds, ofUsers } from '../../postgres/rds-roles';
import { MEMBERSHIP_PARTS } from './memberships';
import { notIgnored, type Part } from './part';

const ROLES = `${ofUsers('r.rolname')} AND r.rolname <> $1 AND ${notIgnored('r.rolname')}`;
const flag = (column: string, word: string) => `CASE WHEN r.${column} THEN '${word}' ELSE 'NO${word}' END`;
/** What a role with CREATEROLE may say of another. */
const ATTRIBUTES = `concat_ws(' ', ${flag('rolcanlogin', 'LOGIN')}, ${flag('rolinherit', 'INHERIT')}, ${flag('rolcreatedb', 'CREATEDB')},
  ${flag('rolcreaterole', 'CREATEROLE')}, 'CONNECTION LIMIT ' || r.rolconnlimit,
  CASE WHEN r.rolvaliduntil IS NOT NULL THEN format('VALID UNTIL %L', r.rolvaliduntil) END)`;

/** Settings whose value is a list of names, quoted as SQL wants it already. */
const NAME_LISTS = `('search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries', 'shared_preload_libraries')`;

/** Roles without their passwords, which the board compares; memberships; settings of roles. */
export const SERVER: readonly Part[] = [
  {
    kind: 'role',
    shared: true,
    sql: () => `SELECT quote_ident(rolname) AS id, NULL AS parent, ${ATTRIBUTES} AS definition,
        format('CREATE ROLE %I WITH %s', rolname, ${ATTRIBUTES}) AS make, format('ALTER ROLE %I WITH %s', rolname, ${ATTRIBUTES}) AS alter,
        format('DROP ROLE IF EXISTS %I', rolname) AS drop
      FROM pg_roles r WHERE ${ROLES} ORDER BY rolname`,
  },
  {
    kind: 'role attribute',
    shared: true,
    sql: () => `SELECT quote_ident(rolname) || ' ' || word AS id, 'role ' || quote_ident(rolname) AS parent, '' AS definition,
        format('ALTER ROLE %I %s', rolname, word) AS make, NULL AS alter, format('ALTER ROLE %I NO%s', rolname, word) AS drop
      FROM pg_roles r, LATERAL (VALUES ('SUPERUSER', rolsuper), ('REPLICATION', rolreplication), ('BYPASSRLS', rolbypassrls)) AS a (word, has)
      WHERE ${ROLES} AND has ORDER BY 1`,
  },
  ...MEMBERSHIP_PARTS,
  setting('role setting', true, `s.setdatabase = 0 AND s.setrole <> 0`, `format('ROLE %I', r.rolname)`),
];

/** Settings of the database, and of roles in it. `default_transaction_read_only` belongs to fences, ours and others'. */
export const DATABASE_SETTINGS: readonly Part[] = [
  setting(
    'database setting',
    false,
    `d.datname = current_database() AND s.setrole = 0`,
    `format('DATABASE %I', d.datname)`,
  ),
  setting(
    'database role setting',
    false,
    `d.datname = current_database() AND s.setrole <> 0`,
    `format('ROLE %I IN DATABASE %I', r.rolname, d.datname)`,
  ),
];

function setting(kind: string, shared: boolean, condition: string, on: string): Part {
  return {
    kind,
    shared,
    sql: () => `SELECT scope || ' ' || name AS id, NULL AS parent, value AS definition,
        format('ALTER %s SET %I = %s', scope, name, CASE WHEN name IN ${NAME_LISTS} THEN value ELSE quote_literal(value) END) AS make,
        format('ALTER %s SET %I = %s', scope, name, CASE WHEN name IN ${NAME_LISTS} THEN value ELSE quote_literal(value) END) AS alter,
        format('ALTER %s RESET %I', scope, name) AS drop
      FROM (SELECT ${on} AS scope, split_part(one, '=', 1) AS name, substr(one, strpos(one, '=') + 1) AS value
              FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole,
                   unnest(s.setconfig) AS one
             WHERE ${condition} AND ${notOfRds("coalesce(r.rolname, '')")} AND coalesce(r.rolname, '') <> $1
               AND ${notIgnored('r.rolname')}) AS settings
      WHERE name <> 'default_transaction_read_only' ORDER BY 1`,
  };
}
