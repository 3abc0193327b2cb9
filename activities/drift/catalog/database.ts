import { notOfExtension, type Part } from './part';

const EVENT_TRIGGERS = `pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid JOIN pg_namespace n ON n.oid = p.pronamespace AND n.nspname <> $1
  AND ${notOfExtension('pg_event_trigger', 'e.oid')}`;
const EVENT_TRIGGER = `concat('CREATE EVENT TRIGGER ', quote_ident(e.evtname), ' ON ', e.evtevent,
  ' WHEN TAG IN (' || (SELECT string_agg(quote_literal(tag), ', ' ORDER BY tag) FROM unnest(e.evttags) AS tag) || ')', ' EXECUTE FUNCTION ', e.evtfoid::regproc, '()')`;
const STATE = `CASE e.evtenabled WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE' END`;

const PUBLISHED = `concat_ws(', ', CASE WHEN b.pubinsert THEN 'insert' END, CASE WHEN b.pubupdate THEN 'update' END, CASE WHEN b.pubdelete THEN 'delete' END, CASE WHEN b.pubtruncate THEN 'truncate' END)`;
const PUBLICATION_OPTIONS = `format('publish = %L, publish_via_partition_root = %s', ${PUBLISHED}, b.pubviaroot::text)`;
const columnList = (version: number) =>
  version >= 150000
    ? `concat((SELECT ' (' || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) || ')' FROM pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs::int2[])),
        ' WHERE (' || pg_get_expr(r.prqual, r.prrelid) || ')')`
    : `''`;

/** Catalogs whose objects are named, and whose differences are said in words. */
const NAMED = [
  ['pg_cast', 'c.oid >= 16384', 'castfunc::regprocedure::text || castcontext::text'],
  ['pg_operator', 'c.oid >= 16384', 'oprcode::text || oprrest || oprjoin'],
  ['pg_opclass', 'c.oid >= 16384', 'opcdefault::text'],
  ['pg_opfamily', 'c.oid >= 16384', `''`],
  ['pg_collation', 'c.oid >= 16384', 'collprovider::text || collisdeterministic'],
  ['pg_conversion', 'c.oid >= 16384', 'conproc::text || condefault'],
  ['pg_language', 'c.oid >= 16384', 'lanpltrusted::text'],
  [
    'pg_ts_config',
    'c.oid >= 16384',
    `(SELECT string_agg(m.maptokentype || ':' || m.mapdict::regdictionary, ',' ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map m WHERE m.mapcfg = c.oid)`,
  ],
  ['pg_ts_dict', 'c.oid >= 16384', 'c.dictinitoption'],
  ['pg_foreign_data_wrapper', 'c.oid >= 16384', `''`],
  // Options of servers and foreign tables may hold what is nobody's business: their hash is enough to see a change.
  ['pg_foreign_server', 'true', 'c.srvversion || md5(c.srvoptions::text)'],
  [
    'pg_class',
    `c.relkind = 'f'`,
    `(SELECT md5(f.ftserver::text || f.ftoptions::text) FROM pg_foreign_table f WHERE f.ftrelid = c.oid) || (SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ',' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)`,
  ],
] as const;

/** Event triggers, publications of others, and what can be said in words only. */
export const DATABASE_PARTS: readonly Part[] = [
  {
    kind: 'event trigger',
    leaf: true,
    sql: () => `SELECT quote_ident(e.evtname) AS id, NULL AS parent, ${EVENT_TRIGGER} AS definition, ${EVENT_TRIGGER} AS make, NULL AS alter,
        format('DROP EVENT TRIGGER IF EXISTS %I', e.evtname) AS drop FROM ${EVENT_TRIGGERS} ORDER BY e.oid`,
  },
  {
    kind: 'event trigger state',
    sql: () => `SELECT quote_ident(e.evtname) AS id, 'event trigger ' || quote_ident(e.evtname) AS parent, e.evtenabled AS definition,
        format('ALTER EVENT TRIGGER %I %s', e.evtname, ${STATE}) AS make, format('ALTER EVENT TRIGGER %I %s', e.evtname, ${STATE}) AS alter,
        format('ALTER EVENT TRIGGER %I ENABLE', e.evtname) AS drop FROM ${EVENT_TRIGGERS} WHERE e.evtenabled <> 'O'`,
  },
  {
    kind: 'publication',
    sql: () => `SELECT quote_ident(b.pubname) AS id, NULL AS parent, b.puballtables || ${PUBLICATION_OPTIONS} AS definition,
        format('CREATE PUBLICATION %I%s WITH (%s)', b.pubname, CASE WHEN b.puballtables THEN ' FOR ALL TABLES' END, ${PUBLICATION_OPTIONS}) AS make,
        format('ALTER PUBLICATION %I SET (%s)', b.pubname, ${PUBLICATION_OPTIONS}) AS alter, b.puballtables::text AS alterable,
        format('DROP PUBLICATION IF EXISTS %I', b.pubname) AS drop
      FROM pg_publication b WHERE b.pubname NOT IN ($1, $1 || '__tables') ORDER BY b.oid`,
  },
  {
    kind: 'published table',
    leaf: true,
    sql: (
      version,
    ) => `SELECT format('%I %s', b.pubname, r.prrelid::regclass) AS id, 'publication ' || quote_ident(b.pubname) AS parent, ${columnList(version)} AS definition,
        format('ALTER PUBLICATION %I ADD TABLE ONLY %s%s', b.pubname, r.prrelid::regclass, ${columnList(version)}) AS make, NULL AS alter,
        format('ALTER PUBLICATION %I DROP TABLE ONLY %s', b.pubname, r.prrelid::regclass) AS drop
      FROM pg_publication b JOIN pg_publication_rel r ON r.prpubid = b.oid WHERE b.pubname NOT IN ($1, $1 || '__tables')`,
  },
  ...NAMED.map(([catalog, condition, definition]): Part => ({
    kind: `object of ${catalog}`,
    sql: () => `SELECT (pg_identify_object('${catalog}'::regclass, c.oid, 0)).type || ' ' || (pg_identify_object('${catalog}'::regclass, c.oid, 0)).identity AS id,
          NULL AS parent, coalesce(${definition}, '') AS definition, NULL AS make, NULL AS alter, NULL AS drop
        FROM ${catalog} c WHERE ${condition} AND ${notOfExtension(catalog, 'c.oid')} AND coalesce((pg_identify_object('${catalog}'::regclass, c.oid, 0)).schema, '') <> $1
        ORDER BY c.oid`,
  })),
];
