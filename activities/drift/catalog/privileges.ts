import { notOfRds } from '../../postgres/rds-roles';
import { notIgnored, notOfExtension, OF_USERS, type Part } from './part';
import { RELATION_KEY } from './on-tables';

/** Everything that has an owner and privileges: its key here, the words by which SQL knows it, owner, privileges, kind for acldefault. */
const OWNED = `(
  SELECT ${RELATION_KEY} AS key, CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' WHEN 'v' THEN 'VIEW ' WHEN 'm' THEN 'MATERIALIZED VIEW ' ELSE 'TABLE ' END || c.oid::regclass AS what,
         CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || c.oid::regclass AS granted, c.relowner AS owner, c.relacl AS acl,
         CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char" AS sort,
         NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = 'pg_class'::regclass AND i.objid = c.oid AND i.deptype IN ('a', 'i') AND c.relkind = 'S') AS free
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND ${OF_USERS} AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relpersistence <> 't'
     AND ${notOfExtension('pg_class', 'c.oid')}
  UNION ALL
  SELECT 'schema ' || quote_ident(n.nspname), 'SCHEMA ' || quote_ident(n.nspname), 'SCHEMA ' || quote_ident(n.nspname), n.nspowner, n.nspacl, 'n', true
    FROM pg_namespace n WHERE ${OF_USERS} AND ${notOfExtension('pg_namespace', 'n.oid')}
  UNION ALL
  SELECT CASE p.prokind WHEN 'a' THEN 'aggregate ' ELSE 'function ' END || p.oid::regprocedure,
         CASE p.prokind WHEN 'a' THEN 'AGGREGATE ' WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END || CASE p.prokind WHEN 'a' THEN format('%s.%I(%s)', p.pronamespace::regnamespace, p.proname,
           coalesce(nullif(pg_get_function_identity_arguments(p.oid), ''), '*')) ELSE p.oid::regprocedure::text END,
         CASE p.prokind WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END || p.oid::regprocedure, p.proowner, p.proacl, 'f', true
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND ${OF_USERS} AND ${notOfExtension('pg_proc', 'p.oid')}
  UNION ALL
  SELECT CASE t.typtype WHEN 'd' THEN 'domain ' WHEN 'c' THEN 'composite type ' WHEN 'r' THEN 'range type ' ELSE 'type ' END || format_type(t.oid, NULL),
         CASE t.typtype WHEN 'd' THEN 'DOMAIN ' ELSE 'TYPE ' END || format_type(t.oid, NULL), CASE t.typtype WHEN 'd' THEN 'DOMAIN ' ELSE 'TYPE ' END || format_type(t.oid, NULL), t.typowner, t.typacl, 'T', true
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace AND ${OF_USERS} AND t.typtype IN ('e', 'd', 'c', 'r') AND ${notOfExtension('pg_type', 't.oid')}
     AND (t.typrelid = 0 OR EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
  UNION ALL
  SELECT NULL, 'DATABASE ' || quote_ident(datname), 'DATABASE ' || quote_ident(datname), datdba, datacl, 'd', true FROM pg_database WHERE datname = current_database()
) AS o`;

const GRANTEE = `CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END`;
/** Not ours, nor those of RDS's own roles and of those that the plan ignores. */
const OF_OTHERS = `(g.grantee = 0 OR pg_get_userbyid(g.grantee) <> $1 AND ${notOfRds('pg_get_userbyid(g.grantee)')} AND ${notIgnored('pg_get_userbyid(g.grantee)')})`;
const ON = (what: string, option: string) =>
  `format('GRANT %s ON %s TO %s%s', g.privilege_type, ${what}, ${GRANTEE}, CASE WHEN ${option} THEN ' WITH GRANT OPTION' ELSE '' END)`;

/** What somebody else than the owner granted, nobody else can take back: each grant in the role that made it. */
const revoked = (owner: string, what: string, ...values: string[]): string => {
  const statement = `format('REVOKE ${what} FROM %s', ${[...values, GRANTEE].join(', ')})`;
  return `string_agg(CASE WHEN g.grantor = ${owner} THEN ${statement}
    ELSE format('SET ROLE %I; %s; RESET ROLE', pg_get_userbyid(g.grantor), ${statement}) END, '; ' ORDER BY g.grantor)`;
};

const DEFAULTS = `(SELECT d.*, pg_get_userbyid(d.defaclrole) AS role, concat('FOR ROLE ', quote_ident(pg_get_userbyid(d.defaclrole)), ' IN SCHEMA ' || quote_ident(n.nspname)) AS scope,
    CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END AS what,
    acldefault(CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END, d.defaclrole) AS standard
  FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace WHERE n.nspname IS DISTINCT FROM $1 AND ${notIgnored('pg_get_userbyid(d.defaclrole)')}) AS d`;

/** Owners, grants, default privileges. A missing list of privileges means the default one; both are spelled out. */
export const PRIVILEGE_PARTS: readonly Part[] = [
  {
    kind: 'owner',
    // A sequence of a column has the owner of its table.
    sql: () => `SELECT o.what AS id, o.key AS parent, pg_get_userbyid(o.owner) AS definition, format('ALTER %s OWNER TO %I', o.what, pg_get_userbyid(o.owner)) AS make,
        format('ALTER %s OWNER TO %I', o.what, pg_get_userbyid(o.owner)) AS alter, '' AS drop
      FROM ${OWNED} WHERE o.free ORDER BY 1`,
  },
  {
    kind: 'grant',
    sql: () => `SELECT format('%s on %s to %s', g.privilege_type, o.granted, ${GRANTEE}) AS id, o.key AS parent, bool_or(g.is_grantable)::text AS definition,
        ${ON('o.granted', 'bool_or(g.is_grantable)')} AS make,
        CASE WHEN bool_or(g.is_grantable) THEN ${ON('o.granted', 'true')} ELSE format('REVOKE GRANT OPTION FOR %s ON %s FROM %s', g.privilege_type, o.granted, ${GRANTEE}) END AS alter,
        ${revoked('o.owner', '%s ON %s', 'g.privilege_type', 'o.granted')} AS drop
      FROM ${OWNED}, LATERAL aclexplode(coalesce(o.acl, acldefault(o.sort, o.owner))) AS g WHERE g.grantee <> o.owner AND ${OF_OTHERS}
      GROUP BY o.key, o.granted, g.privilege_type, g.grantee ORDER BY bool_or(g.grantor <> o.owner), 1`,
  },
  {
    kind: 'revoked default',
    // What is there by default and was taken away.
    sql: () => `SELECT format('%s on %s to %s', g.privilege_type, o.granted, ${GRANTEE}) AS id, o.key AS parent, '' AS definition,
        format('REVOKE %s ON %s FROM %s', g.privilege_type, o.granted, ${GRANTEE}) AS make, NULL AS alter,
        CASE WHEN g.grantee = o.owner THEN ${ON('o.granted', 'false')} ELSE '' END AS drop
      FROM ${OWNED}, LATERAL aclexplode(acldefault(o.sort, o.owner)) AS g
      WHERE o.acl IS NOT NULL AND NOT EXISTS (SELECT FROM aclexplode(o.acl) AS has WHERE has.grantee = g.grantee AND has.privilege_type = g.privilege_type) ORDER BY 1`,
  },
  {
    kind: 'column grant',
    sql: () => `SELECT format('%s on %s.%I to %s', g.privilege_type, c.oid::regclass, a.attname, ${GRANTEE}) AS id, ${RELATION_KEY} AS parent, bool_or(g.is_grantable)::text AS definition,
        format('GRANT %s (%I) ON TABLE %s TO %s%s', g.privilege_type, a.attname, c.oid::regclass, ${GRANTEE}, CASE WHEN bool_or(g.is_grantable) THEN ' WITH GRANT OPTION' ELSE '' END) AS make,
        NULL AS alter, ${revoked('c.relowner', '%s (%I) ON TABLE %s', 'g.privilege_type', 'a.attname', 'c.oid::regclass')} AS drop
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND ${OF_USERS} AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relpersistence <> 't'
        JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped AND a.attacl IS NOT NULL, LATERAL aclexplode(a.attacl) AS g WHERE ${OF_OTHERS}
      GROUP BY c.oid, c.relkind, a.attname, g.privilege_type, g.grantee ORDER BY bool_or(g.grantor <> c.relowner), 1`,
  },
  {
    kind: 'default privilege',
    sql: () => `SELECT format('%s %s on %s to %s', d.scope, g.privilege_type, d.what, ${GRANTEE}) AS id, NULL AS parent, g.is_grantable::text AS definition,
        format('ALTER DEFAULT PRIVILEGES %s GRANT %s ON %s TO %s%s', d.scope, g.privilege_type, d.what, ${GRANTEE}, CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS make, NULL AS alter,
        format('ALTER DEFAULT PRIVILEGES %s REVOKE %s ON %s FROM %s', d.scope, g.privilege_type, d.what, ${GRANTEE}) AS drop
      FROM ${DEFAULTS}, LATERAL aclexplode(d.defaclacl) AS g WHERE NOT (d.defaclnamespace = 0 AND g.grantee = d.defaclrole) AND ${OF_OTHERS} ORDER BY 1`,
  },
  {
    kind: 'revoked default privilege',
    sql: () => `SELECT format('%s %s on %s to %s', d.scope, g.privilege_type, d.what, ${GRANTEE}) AS id, NULL AS parent, '' AS definition,
        format('ALTER DEFAULT PRIVILEGES %s REVOKE %s ON %s FROM %s', d.scope, g.privilege_type, d.what, ${GRANTEE}) AS make, NULL AS alter,
        format('ALTER DEFAULT PRIVILEGES %s GRANT %s ON %s TO %s', d.scope, g.privilege_type, d.what, ${GRANTEE}) AS drop
      FROM ${DEFAULTS}, LATERAL aclexplode(d.standard) AS g
      WHERE d.defaclnamespace = 0 AND NOT EXISTS (SELECT FROM aclexplode(d.defaclacl) AS has WHERE has.grantee = g.grantee AND has.privilege_type = g.privilege_type) ORDER BY 1`,
  },
];
