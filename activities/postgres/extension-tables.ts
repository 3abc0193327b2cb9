/**
 * Condition: the relation of `pg_class` belongs to `rdsadmin`, or to an extension and a superuser. On RDS `rdsadmin` owns what its extensions make (pg_cron's tables,
 * PostGIS's `spatial_ref_sys`), whether the catalog still says so or not, and nobody can be let into it: whatever takes ownership, or more rights than the extension grants, is impossible there.
 * Never true for a superuser.
 * @param relation the alias of `pg_class`
 */
export const outOfReach = (relation = 'c'): string => `(
  EXISTS (SELECT FROM pg_roles ow WHERE ow.oid = ${relation}.relowner AND (ow.rolname = 'rdsadmin' OR ow.rolsuper AND EXISTS (
    SELECT FROM pg_depend de WHERE de.classid = 'pg_class'::regclass AND de.objid = ${relation}.oid AND de.deptype = 'e')))
  AND NOT pg_has_role(current_user, ${relation}.relowner, 'MEMBER'))`;

/**
 * Condition: we may act as that role by SET ROLE. From PostgreSQL 16 on a membership may come without; before, it always comes with it.
 * @param role SQL that gives a name or an oid
 * @see https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-ACCESS
 */
export const mayBecome = (role: string): string =>
  `pg_has_role(current_user, ${role}, CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)`;

/**
 * Condition on a table out of reach: we can't read all of it, since it is not ours to read, or row-level security hides rows of others.
 * @param relation the alias of `pg_class`
 */
export const unreadable = (relation = 'c'): string =>
  `(NOT has_schema_privilege(${relation}.relnamespace, 'USAGE') OR NOT has_table_privilege(${relation}.oid, 'SELECT') OR row_security_active(${relation}.oid))`;
