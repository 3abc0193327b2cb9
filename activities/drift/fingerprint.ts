import { fenceSchema } from '../../plan/names';
import { likePattern } from '../../plan/role-patterns';
import { queryOne, type Session } from '../postgres/session';

/** Long enough for a hundred thousand tables; the guard looks every minute. */
export const FINGERPRINT_EVERY_MS = 60_000;

/** Schemas of users, ours apart. */
const NAMESPACES = `SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', $1)`;
const RELATIONS = `SELECT oid FROM pg_class WHERE relnamespace IN (${NAMESPACES}) AND relpersistence <> 't'`;

/** What of ours has a comment. */
const OURS = `SELECT 'pg_namespace'::regclass, oid FROM pg_namespace WHERE nspname = $1 UNION ALL SELECT 'pg_publication'::regclass, oid FROM pg_publication WHERE pubname IN ($1, $1 || '__tables')`;

/**
 * What goes in, per catalog: columns that say what an object is, none that say how it is stored or how big it is. Raw
 * trees instead of SQL text: ten times faster, and only ever compared with the same server's of another time.
 */
const PARTS = {
  namespace: `SELECT (oid, nspname, nspowner, nspacl)::text FROM pg_namespace WHERE oid IN (${NAMESPACES})`,
  class: `SELECT (oid, relname, relnamespace, reloftype, relowner, relkind, relpersistence, relrowsecurity, relforcerowsecurity,
                  relreplident, relispartition, reloptions, relacl, relpartbound)::text FROM pg_class WHERE oid IN (${RELATIONS})`,
  attribute: `SELECT (a.attrelid, a.attname, a.atttypid, a.attnum, a.atttypmod, a.attnotnull, a.attidentity, a.attgenerated,
                      a.attisdropped, a.attstattarget, a.attcollation, a.attacl, a.attoptions, a.attstorage, COMPRESSION)::text
                FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind NOT IN ('i', 'I', 'S', 't')
               WHERE a.attnum > 0 AND c.oid IN (${RELATIONS})`,
  default: `SELECT (adrelid, adnum, adbin)::text FROM pg_attrdef WHERE adrelid IN (${RELATIONS})`,
  constraint: `SELECT c::text FROM pg_constraint c WHERE connamespace IN (${NAMESPACES}) AND (conrelid = 0 OR conrelid IN (${RELATIONS}))`,
  index: `SELECT (indexrelid, indrelid, indisunique, indisprimary, indisreplident, indkey, indclass, indoption, indexprs, indpred)::text
            FROM pg_index WHERE indrelid IN (${RELATIONS})`,
  inherits: `SELECT (inhrelid, inhparent)::text FROM pg_inherits WHERE inhrelid IN (${RELATIONS})`,
  sequence: `SELECT s::text FROM pg_sequence s WHERE seqrelid IN (${RELATIONS})`,
  type: `SELECT (oid, typname, typnamespace, typowner, typtype, typnotnull, typbasetype, typtypmod, typdefault, typacl)::text
           FROM pg_type WHERE typnamespace IN (${NAMESPACES}) AND (typrelid = 0 OR typrelid IN (${RELATIONS}))`,
  enum: `SELECT e::text FROM pg_enum e`,
  function: `SELECT p::text FROM pg_proc p WHERE pronamespace IN (${NAMESPACES})`,
  aggregate: `SELECT a::text FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid WHERE p.pronamespace IN (${NAMESPACES})`,
  trigger: `SELECT t::text FROM pg_trigger t WHERE NOT tgisinternal AND tgrelid IN (${RELATIONS})`,
  rule: `SELECT (oid, rulename, ev_class, ev_type, ev_enabled, is_instead, ev_qual, ev_action)::text FROM pg_rewrite WHERE ev_class IN (${RELATIONS})`,
  policy: `SELECT p::text FROM pg_policy p WHERE polrelid IN (${RELATIONS})`,
  statistics: `SELECT (oid, stxname, stxrelid, stxkeys, stxkind)::text FROM pg_statistic_ext WHERE stxrelid IN (${RELATIONS})`,
  extension: `SELECT (extname, extversion, extnamespace)::text FROM pg_extension WHERE extnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname = $1)`,
  eventTrigger: `SELECT (oid, evtname, evtevent, evtfoid, evtenabled, evttags)::text FROM pg_event_trigger`,
  publication: `SELECT p::text FROM pg_publication p WHERE pubname <> $1 || '__tables' UNION ALL
                SELECT r::text FROM pg_publication_rel r WHERE prpubid NOT IN (SELECT oid FROM pg_publication WHERE pubname = $1 || '__tables')`,
  defaultPrivileges: `SELECT d::text FROM pg_default_acl d`,
  cast: `SELECT c::text FROM pg_cast c WHERE oid >= 16384`,
  operator: `SELECT o::text FROM pg_operator o WHERE oid >= 16384`,
  collation: `SELECT (oid, collname, collnamespace)::text FROM pg_collation WHERE oid >= 16384`,
  server: `SELECT (oid, srvname, srvowner, srvacl)::text FROM pg_foreign_server`,
  role: `SELECT (rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolconnlimit, rolvaliduntil, rolbypassrls)::text
           FROM pg_roles WHERE rolname <> $1`,
  membership: `SELECT (roleid, member, admin_option)::text FROM pg_auth_members`,
  setting: `SELECT s::text FROM pg_db_role_setting s WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))`,
  database: `SELECT (datdba, datacl)::text FROM pg_database WHERE datname = current_database()`,
} as const;

/** Roles that the plan ignores. */
const IGNORED = `ARRAY(SELECT oid FROM pg_roles WHERE rolname LIKE ANY ($2::text[]))`;
/** A list of privileges without those of ignored roles. When all of them are gone again, it is what it was: the default, spelled out. */
const grants = (acl: string, kind: string, owner: string) =>
  `(SELECT string_agg(g::text, ',' ORDER BY g::text) FROM aclexplode(coalesce(${acl}, acldefault(${kind}, ${owner}))) AS g WHERE g.grantee <> ALL (${IGNORED}))`;
/** A replacement by a function: in a text, \`$2\` has a meaning of its own. */
const instead = (sql: string, part: string, by: string): string => sql.replace(part, () => by);

/** The same parts where the plan ignores roles. Slower, and of another spelling: it has to be one or the other for a whole migration. */
const PARTS_WITHOUT_IGNORED: Readonly<Record<string, string>> = {
  ...PARTS,
  namespace: instead(PARTS.namespace, 'nspacl', grants('nspacl', `'n'`, 'nspowner')),
  class: instead(
    PARTS.class,
    'relacl',
    grants('relacl', `CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char"`, 'relowner'),
  ),
  attribute: instead(PARTS.attribute, 'a.attacl', grants('a.attacl', `'c'`, 'c.relowner')),
  type: instead(PARTS.type, 'typacl', grants('typacl', `'T'`, 'typowner')),
  function: instead(
    PARTS.function,
    'p::text',
    `(to_jsonb(p) - 'proacl')::text || ${grants('proacl', `'f'`, 'proowner')}`,
  ),
  defaultPrivileges: `SELECT (d.defaclrole, d.defaclnamespace, d.defaclobjtype, g)::text FROM pg_default_acl d, aclexplode(d.defaclacl) AS g
                       WHERE g.grantee <> ALL (${IGNORED}) AND d.defaclrole <> ALL (${IGNORED})`,
  server: instead(PARTS.server, 'srvacl', grants('srvacl', `'S'`, 'srvowner')),
  role: `${PARTS.role} AND NOT rolname LIKE ANY ($2::text[])`,
  membership: `${PARTS.membership} WHERE roleid <> ALL (${IGNORED}) AND member <> ALL (${IGNORED})`,
  setting: `${PARTS.setting} AND setrole <> ALL (${IGNORED})`,
  database: instead(PARTS.database, 'datacl', grants('datacl', `'d'`, 'datdba')),
};

/** What goes in besides since fingerprints begin with `FORMAT`. */
const LATER_PARTS = {
  comment: `SELECT (classoid, objoid, objsubid, description)::text FROM pg_description WHERE (classoid, objoid) NOT IN (${OURS})`,
  sharedComment: `SELECT d::text FROM pg_shdescription d WHERE objoid NOT IN (SELECT oid FROM pg_roles WHERE rolname = $1)`,
  membershipOptions: `SELECT (roleid, member, to_jsonb(m) ->> 'inherit_option', to_jsonb(m) ->> 'set_option')::text FROM pg_auth_members m`,
  populated: `SELECT (oid, relispopulated)::text FROM pg_class WHERE relkind = 'm' AND oid IN (${RELATIONS})`,
  validIndex: `SELECT (indexrelid, indisvalid)::text FROM pg_index WHERE indrelid IN (${RELATIONS})`,
} as const;

const LATER_PARTS_WITHOUT_IGNORED: Readonly<Record<string, string>> = {
  ...LATER_PARTS,
  sharedComment: `${LATER_PARTS.sharedComment} AND objoid <> ALL (${IGNORED})`,
  membershipOptions: `${LATER_PARTS.membershipOptions} WHERE roleid <> ALL (${IGNORED}) AND member <> ALL (${IGNORED})`,
};

/** Says by which parts a fingerprint was taken: one of an earlier build, which has no such beginning, is only ever compared with its like. */
const FORMAT = '2:';

const sqlOf = (parts: Readonly<Record<string, string>>): string =>
  `SELECT md5(string_agg(part || '=' || total, ',' ORDER BY part)) AS hash FROM (${Object.entries(parts)
    .map(
      ([part, rows]) =>
        `SELECT '${part}' AS part, coalesce(sum(hashtextextended(line, 0)), 0)::text AS total FROM (${rows}) AS rows (line)`,
    )
    .join(' UNION ALL ')}) AS parts`;

/**
 * A hash over the schema, grants, roles, settings and comments of the database that the session is in. It changes whenever one of them
 * does; now and then it may change though nothing did that matters: it says when to compare, never what the difference is.
 * @param like what it will be compared with: it is taken as that one was
 * @param ignored patterns of role names (`ignore.roles` of the plan)
 */
export async function fingerprintSchema(
  session: Session,
  migration: string,
  { like, ignored = [] }: { readonly like?: string; readonly ignored?: readonly string[] } = {},
): Promise<string> {
  const isNew = like === undefined || like.startsWith(FORMAT);
  const { version } = await queryOne<{ version: number }>(
    session,
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  // Columns have a compression of their own since PostgreSQL 14.
  const parts = ignored.length > 0 ? PARTS_WITHOUT_IGNORED : PARTS;
  const later = ignored.length > 0 ? LATER_PARTS_WITHOUT_IGNORED : LATER_PARTS;
  const sql = sqlOf(isNew ? { ...parts, ...later } : parts).replace(
    'COMPRESSION',
    version >= 140_000 ? 'a.attcompression' : 'NULL',
  );
  const { hash } = await queryOne<{ hash: string }>(session, sql, [
    fenceSchema(migration),
    ...(ignored.length > 0 ? [ignored.map(likePattern)] : []),
  ]);
  return isNew ? `${FORMAT}${hash}` : hash;
}
