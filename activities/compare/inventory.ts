import { fenceSchema } from '../../plan/names';
import type { InventoryCount } from '../../plan/report';
import { likePattern } from '../../plan/role-patterns';
import type { MigrationRef } from '../dependencies';
import { queryRows, type Session } from '../postgres/session';
import { TableMap, type TableName } from './table-name';

/** Schemas of the server and ours. */
const FOREIGN = `n.nspname NOT IN ('information_schema', $1) AND n.nspname NOT LIKE 'pg\\_%'`;
/** Condition: a role of ours, or one that the plan ignores. */
const LEFT_OUT = (name: string) => `coalesce(${name} LIKE 'keyshift%' OR ${name} LIKE ANY ($2::text[]), false)`;
/** The owner's own privileges are spelled out as soon as somebody else had one. */
const ACL = `(SELECT count(*) FROM aclexplode(acl) AS a WHERE a.grantee <> c.relowner AND a.grantee NOT IN (SELECT oid FROM pg_roles WHERE ${LEFT_OUT('rolname')}))`;

/**
 * How many objects of each kind a database has, by the catalogs' own names, and what is cluster-wide: roles, memberships,
 * settings. What Keyshift made for the migration isn't counted, nor roles that the plan ignores.
 */
export async function countObjects(
  session: Session,
  { id, plan }: Pick<MigrationRef, 'id' | 'plan'>,
): Promise<Map<string, number>> {
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
       UNION ALL SELECT 'roles', count(*) FROM pg_roles WHERE NOT ${LEFT_OUT('rolname')}
       UNION ALL SELECT 'role memberships', count(*) FROM pg_auth_members m
                   JOIN pg_roles r ON r.oid = m.member JOIN pg_roles g ON g.oid = m.roleid
                  WHERE r.rolname NOT LIKE 'keyshift%' AND NOT r.rolname LIKE ANY ($2::text[]) AND NOT g.rolname LIKE ANY ($2::text[])
       UNION ALL SELECT 'grants', sum(${ACL.replace('(acl)', '(relacl)')}) FROM pg_class c
                   JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${FOREIGN}
       UNION ALL SELECT 'settings', count(*) FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) AS one
                  WHERE NOT ${LEFT_OUT('r.rolname')} AND one NOT LIKE 'default\\_transaction\\_read\\_only=%'
     ) AS counted ORDER BY 1`,
    [fenceSchema(id), plan.ignore.roles.map(likePattern)],
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

/** Sessions of both sides. */
interface Sessions {
  readonly source: Session;
  readonly target: Session;
}

/**
 * Sequences that would hand out on the target what the source has handed out. The source is fenced; the target only goes on.
 * @param then sessions that see the catalogs as of the pause: one that was renamed or dropped since isn't behind
 * @param now sessions that see them as they are
 */
export async function sequencesBehind(then: Sessions, now: Sessions, migration: string): Promise<TableName[]> {
  const [there, here] = await Promise.all([
    readSequences(then.source, now.source, migration),
    readSequences(then.target, now.target, migration),
  ]);
  const found = new TableMap(here.map((one) => [one, one] as const));
  return there.filter((one) => {
    const { last, by, cycles } = one;
    if (last === null || last === undefined || cycles) return false;
    const twin = found.get(one);
    if (!twin) return true;
    // Dropped on the target since.
    if (twin.last === undefined) return false;
    if (twin.last === null) return true;
    return BigInt(by) > 0n ? BigInt(twin.last) < BigInt(last) : BigInt(twin.last) > BigInt(last);
  });
}

interface Sequence extends TableName {
  readonly oid: number;
  readonly by: string;
  readonly cycles: boolean;
  /** The last value that it gave; null: it gave none; undefined: it isn't there any more. */
  readonly last: string | null | undefined;
}

async function readSequences(then: Session, now: Session, migration: string): Promise<Sequence[]> {
  const listed = await queryRows<Omit<Sequence, 'last'>>(
    then,
    `SELECT c.oid::int8::float8 AS oid, n.nspname AS schema, c.relname AS name, s.seqincrement::text AS by, s.seqcycle AS cycles
       FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relpersistence <> 't' AND n.nspname <> $1 ORDER BY 2, 3`,
    [fenceSchema(migration)],
  );
  const values = await queryRows<{ oid: number; last: string | null }>(
    now,
    `SELECT c.oid::int8::float8 AS oid,
            CASE WHEN has_sequence_privilege(c.oid, 'SELECT,USAGE') THEN pg_sequence_last_value(c.oid) END::text AS last
       FROM pg_class c WHERE c.relkind = 'S' AND c.oid = ANY ($1::oid[])`,
    [listed.map(({ oid }) => oid)],
  );
  const last = new Map(values.map((one) => [one.oid, one.last]));
  return listed.map((one) => ({ ...one, last: last.get(one.oid) }));
}
