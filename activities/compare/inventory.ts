import { fenceSchema } from '../../plan/names';
import type { InventoryCount } from '../../plan/report';
import type { ComparedTable } from './list-tables';
import { queryRows, type Session } from '../postgres/session';

/** Schemas of the server and ours. */
const FOREIGN = `n.nspname NOT IN ('information_schema', $1) AND n.nspname NOT LIKE 'pg\\_%'`;
const ACL = `(SELECT count(*) FROM aclexplode(acl) AS a WHERE a.grantee NOT IN (SELECT oid FROM pg_roles WHERE rolname LIKE 'keyshift%'))`;

/**
 * How many objects of each kind a database has, by the catalogs' own names, and what is cluster-wide: roles, memberships,
 * settings. What Keyshift made for the migration isn't counted.
 */
export async function countObjects(session: Session, migration: string): Promise<Map<string, number>> {
  const rows = await queryRows<{ kind: string; count: string }>(
    session,
    `SELECT kind, count::text FROM (
       SELECT CASE c.relkind WHEN 'r' THEN 'tables' WHEN 'p' THEN 'partitioned tables' WHEN 'i' THEN 'indexes'
                WHEN 'I' THEN 'partitioned indexes' WHEN 'S' THEN 'sequences' WHEN 'v' THEN 'views'
                WHEN 'm' THEN 'materialized views' WHEN 'f' THEN 'foreign tables' ELSE 'composite types' END AS kind, count(*)
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE ${FOREIGN} AND NOT EXISTS (SELECT 1 FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
                WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') GROUP BY 1
       UNION ALL SELECT 'schemas', count(*) FROM pg_namespace n WHERE ${FOREIGN}
       UNION ALL SELECT 'columns', count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                   JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE ${FOREIGN} AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
       UNION ALL SELECT 'constraints', count(*) FROM pg_constraint x JOIN pg_namespace n ON n.oid = x.connamespace WHERE ${FOREIGN}
       UNION ALL SELECT 'functions', count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                  WHERE ${FOREIGN} AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
                          AND d.objid = p.oid AND d.deptype = 'e')
       UNION ALL SELECT 'triggers', count(*) FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
                   JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${FOREIGN} AND NOT g.tgisinternal AND NOT starts_with(g.tgname, 'keyshift_')
       UNION ALL SELECT 'enum labels', count(*) FROM pg_enum
       UNION ALL SELECT 'policies', count(*) FROM pg_policy
       UNION ALL SELECT 'extensions', count(*) FROM pg_extension WHERE extname NOT IN ('rds_tools', 'pg_walinspect', 'pg_prewarm')
       UNION ALL SELECT 'roles', count(*) FROM pg_roles WHERE rolname NOT LIKE 'keyshift%'
       UNION ALL SELECT 'role memberships', count(*) FROM pg_auth_members m
                   JOIN pg_roles r ON r.oid = m.member WHERE r.rolname NOT LIKE 'keyshift%'
       UNION ALL SELECT 'grants', sum(${ACL.replace('(acl)', '(relacl)')}) FROM pg_class c
                   JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${FOREIGN}
       UNION ALL SELECT 'settings', count(*) FROM pg_db_role_setting s, unnest(s.setconfig) AS one
                  WHERE one NOT LIKE 'default\\_transaction\\_read\\_only=%'
     ) AS counted ORDER BY 1`,
    [fenceSchema(migration)],
  );
  return new Map(rows.map(({ kind, count }) => [kind, Number(count ?? 0)]));
}

/** Every database shows the same ones. */
const CLUSTER_WIDE = new Set(['roles', 'role memberships', 'settings']);

/** Adds one database's counts to those of all. */
export function addCounts(
  inventory: Record<string, InventoryCount>,
  source: ReadonlyMap<string, number>,
  target: ReadonlyMap<string, number>,
): void {
  for (const kind of new Set([...source.keys(), ...target.keys()])) {
    if (CLUSTER_WIDE.has(kind) && inventory[kind]) continue;
    const before = inventory[kind] ?? { source: 0, target: 0 };
    inventory[kind] = {
      source: before.source + (source.get(kind) ?? 0),
      target: before.target + (target.get(kind) ?? 0),
    };
  }
}

/** Whether a table was rewritten since a transaction's snapshot was taken: TRUNCATE, ALTER TABLE, VACUUM FULL. */
export async function rewrittenSince(keeper: Session, { schema, name }: ComparedTable): Promise<boolean> {
  // The row of pg_class is that of the snapshot, the function looks into the catalog of now.
  const rows = await queryRows(
    keeper,
    `SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2 AND c.relfilenode IS DISTINCT FROM pg_relation_filenode(c.oid)`,
    [schema, name],
  );
  return rows.length > 0;
}

/** Sequences that would hand out on the target what the source has handed out. The source is fenced; the target only goes on. */
export async function sequencesBehind(
  source: Session,
  target: Session,
  database: string,
  migration: string,
): Promise<string[]> {
  const read = (session: Session) =>
    queryRows<{ name: string; last: string | null; by: string; cycles: boolean }>(
      session,
      `SELECT schemaname || '.' || sequencename AS name, last_value::text AS last, increment_by::text AS by, cycle AS cycles
         FROM pg_sequences WHERE schemaname <> $1 ORDER BY 1`,
      [fenceSchema(migration)],
    );
  const [there, here] = await Promise.all([read(source), read(target)]);
  const found = new Map(here.map((one) => [one.name, one]));
  return there
    .filter(({ name, last, by, cycles }) => {
      if (last === null || cycles) return false;
      const twin = found.get(name)?.last;
      if (twin === undefined || twin === null) return true;
      return BigInt(by) > 0n ? BigInt(twin) < BigInt(last) : BigInt(twin) > BigInt(last);
    })
    .map(({ name }) => `${database} ${name}`);
}
