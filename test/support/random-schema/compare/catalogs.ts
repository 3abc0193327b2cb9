import type { Client } from 'pg';

/** Every row of every catalog, by the catalog: what a database is beside its rows. */
export type Catalogs = ReadonlyMap<string, readonly string[]>;

/** What is no definition: statistics, dependencies (which follow from the rest), and large objects, whose contents are compared. */
const LEFT_OUT = [
  'pg_statistic',
  'pg_statistic_ext_data',
  'pg_depend',
  'pg_shdepend',
  'pg_largeobject',
  'pg_largeobject_metadata',
];
/** Members that change by themselves: by vacuum, a rewrite, or a look. */
const VOLATILE = [
  'relpages',
  'reltuples',
  'relallvisible',
  'relallfrozen',
  'relfrozenxid',
  'relminmxid',
  'relfilenode',
  'reltoastrelid',
  'datfrozenxid',
  'datminmxid',
  'indcheckxmin',
];
const SHARED = [
  'pg_authid',
  'pg_auth_members',
  'pg_database',
  'pg_db_role_setting',
  'pg_parameter_acl',
  'pg_replication_origin',
  'pg_shdescription',
  'pg_shseclabel',
  'pg_subscription',
  'pg_tablespace',
];
/** Temporary ones come with sessions; those of TOAST follow their tables, and are swapped when one is rewritten. */
const OTHERS = `SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_(toast|temp|toast_temp)(_|$)'`;
const WITHOUT: Readonly<Record<string, string>> = {
  pg_class: `relnamespace NOT IN (${OTHERS})`,
  pg_namespace: `nspname !~ '^pg_(temp|toast_temp)_'`,
  pg_type: `typnamespace NOT IN (${OTHERS})`,
  pg_attribute: `attrelid NOT IN (SELECT oid FROM pg_class WHERE relnamespace IN (${OTHERS}))`,
  pg_index: `indrelid NOT IN (SELECT oid FROM pg_class WHERE relnamespace IN (${OTHERS}))`,
  pg_init_privs: 'true',
};

const NAMES = `SELECT relname AS name FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' AND relisshared = $1 ORDER BY 1`;

/**
 * All catalogs of a database; of the whole server those that all databases share. The target begins as a copy of the source's files, so
 * everything has the same OID on both, and whole rows can be compared: nothing that a catalog holds is left to the one who compares.
 */
export async function catalogsOf(client: Client, shared: boolean): Promise<Catalogs> {
  const { rows } = await client.query<{ name: string }>(NAMES, [shared]);
  const catalogs = new Map<string, string[]>();
  for (const { name } of rows) {
    if (LEFT_OUT.includes(name) || (shared && !SHARED.includes(name))) continue;
    const { rows: lines } = await client.query<{ line: string }>(
      `SELECT (to_jsonb(one) - $1::text[])::text AS line FROM pg_catalog.${name} AS one WHERE ${WITHOUT[name] ?? 'true'}`,
      [VOLATILE],
    );
    catalogs.set(
      name,
      lines.map(({ line }) => line),
    );
  }
  return catalogs;
}

const SHOWN = 6;

/** Rows of catalogs that are on one side only. */
export function differingCatalogs(
  wanted: Catalogs,
  found: Catalogs,
  expected: (line: string) => boolean = () => false,
): string[] {
  const wrong: string[] = [];
  for (const name of new Set([...wanted.keys(), ...found.keys()])) {
    const [there, here] = [new Set(wanted.get(name)), new Set(found.get(name))];
    const gone = [...there].filter((line) => !here.has(line) && !expected(line));
    const added = [...here].filter((line) => !there.has(line) && !expected(line));
    wrong.push(...gone.slice(0, SHOWN).map((line) => `catalog ${name}, gone or changed: ${short(line)}`));
    wrong.push(...added.slice(0, SHOWN).map((line) => `catalog ${name}, new or changed: ${short(line)}`));
  }
  return wrong;
}

const short = (line: string): string => (line.length > 700 ? `${line.slice(0, 700)}...` : line);
