import { notOfExtension, OF_USERS, type Part } from './part';

const TYPES = (typtype: string) =>
  `pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace AND ${OF_USERS} AND t.typtype = '${typtype}' AND ${notOfExtension('pg_type', 't.oid')}`;
const NAME = `format_type(t.oid, NULL)`;
const collation = (column: string, standard: string) =>
  `CASE WHEN ${column} <> 0 AND ${column} <> ${standard} THEN ' COLLATE ' || ${column}::regcollation ELSE '' END`;
const ATTRIBUTE_TYPE = `format_type(a.atttypid, a.atttypmod) || ${collation('a.attcollation', '(SELECT typcollation FROM pg_type WHERE oid = a.atttypid)')}`;
const COMPOSITES = `${TYPES('c')} JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'`;
const DOMAIN_CONSTRAINTS = `pg_constraint k JOIN pg_type t ON t.oid = k.contypid AND k.contype = 'c' JOIN pg_namespace n ON n.oid = t.typnamespace AND ${OF_USERS} AND ${notOfExtension('pg_type', 't.oid')}`;

/** Schemas, extensions, enums, domains, composite types, ranges. */
export const TYPE_PARTS: readonly Part[] = [
  {
    kind: 'schema',
    sql: () => `SELECT quote_ident(n.nspname) AS id, NULL AS parent, '' AS definition, format('CREATE SCHEMA %I', n.nspname) AS make,
        NULL AS alter, format('DROP SCHEMA IF EXISTS %I', n.nspname) AS drop
      FROM pg_namespace n WHERE ${OF_USERS} AND ${notOfExtension('pg_namespace', 'n.oid')} ORDER BY 1`,
  },
  {
    kind: 'extension',
    deletes: true,
    sql: () => `SELECT quote_ident(x.extname) AS id, NULL AS parent, x.extversion AS definition,
        format('CREATE EXTENSION %I WITH SCHEMA %I VERSION %L', x.extname, n.nspname, x.extversion) AS make,
        format('ALTER EXTENSION %I UPDATE TO %L', x.extname, x.extversion) AS alter, format('DROP EXTENSION IF EXISTS %I', x.extname) AS drop
      FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace AND n.nspname <> $1 ORDER BY x.oid`,
  },
  {
    kind: 'extension schema',
    inline: true,
    sql: () => `SELECT quote_ident(x.extname) AS id, 'extension ' || quote_ident(x.extname) AS parent, n.nspname AS definition,
        format('ALTER EXTENSION %I SET SCHEMA %I', x.extname, n.nspname) AS make,
        CASE WHEN x.extrelocatable THEN format('ALTER EXTENSION %I SET SCHEMA %I', x.extname, n.nspname) END AS alter, '' AS drop
      FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace AND n.nspname <> $1`,
  },
  {
    kind: 'type',
    sql: () => `SELECT ${NAME} AS id, NULL AS parent, 'enum' AS definition,
        format('CREATE TYPE %s AS ENUM (%s)', ${NAME}, (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)) AS make,
        NULL AS alter, format('DROP TYPE IF EXISTS %s', ${NAME}) AS drop
      FROM ${TYPES('e')} ORDER BY 1`,
  },
  {
    kind: 'enum value',
    inline: true,
    sql: () => `SELECT ${NAME} || ' ' || quote_literal(enumlabel) AS id, 'type ' || ${NAME} AS parent, '' AS definition,
        format('ALTER TYPE %s ADD VALUE %L%s', ${NAME}, enumlabel, CASE WHEN before IS NOT NULL THEN format(' AFTER %L', before)
          WHEN after IS NOT NULL THEN format(' BEFORE %L', after) ELSE '' END) AS make, NULL AS alter, NULL AS drop
      FROM ${TYPES('e')} JOIN LATERAL (SELECT enumlabel, enumsortorder, lag(enumlabel) OVER (ORDER BY enumsortorder) AS before,
             lead(enumlabel) OVER (ORDER BY enumsortorder) AS after FROM pg_enum WHERE enumtypid = t.oid) AS labels ON true
      ORDER BY t.oid, enumsortorder`,
  },
  {
    kind: 'domain',
    sql: () => `SELECT ${NAME} AS id, NULL AS parent, format_type(t.typbasetype, t.typtypmod) AS definition,
        format('CREATE DOMAIN %s AS %s%s%s%s%s', ${NAME}, format_type(t.typbasetype, t.typtypmod),
          ${collation('t.typcollation', '(SELECT typcollation FROM pg_type WHERE oid = t.typbasetype)')},
          ' DEFAULT ' || t.typdefault, CASE WHEN t.typnotnull THEN ' NOT NULL' END,
          (SELECT string_agg(format(' CONSTRAINT %I %s', conname, pg_get_constraintdef(oid)), '' ORDER BY conname) FROM pg_constraint WHERE contypid = t.oid AND contype = 'c')) AS make,
        NULL AS alter, format('DROP DOMAIN IF EXISTS %s', ${NAME}) AS drop
      FROM ${TYPES('d')} ORDER BY t.oid`,
  },
  {
    kind: 'domain default',
    inline: true,
    sql: () => `SELECT ${NAME} AS id, 'domain ' || ${NAME} AS parent, t.typdefault AS definition, format('ALTER DOMAIN %s SET DEFAULT %s', ${NAME}, t.typdefault) AS make,
        format('ALTER DOMAIN %s SET DEFAULT %s', ${NAME}, t.typdefault) AS alter, format('ALTER DOMAIN %s DROP DEFAULT', ${NAME}) AS drop
      FROM ${TYPES('d')} WHERE t.typdefault IS NOT NULL`,
  },
  {
    kind: 'domain not null',
    inline: true,
    sql: () => `SELECT ${NAME} AS id, 'domain ' || ${NAME} AS parent, '' AS definition, format('ALTER DOMAIN %s SET NOT NULL', ${NAME}) AS make,
        NULL AS alter, format('ALTER DOMAIN %s DROP NOT NULL', ${NAME}) AS drop
      FROM ${TYPES('d')} WHERE t.typnotnull`,
  },
  {
    kind: 'domain constraint',
    inline: true,
    leaf: true,
    sql: () => `SELECT format('%s %I', ${NAME}, k.conname) AS id, 'domain ' || ${NAME} AS parent, pg_get_constraintdef(k.oid) AS definition,
        format('ALTER DOMAIN %s ADD CONSTRAINT %I %s', ${NAME}, k.conname, pg_get_constraintdef(k.oid)) AS make, NULL AS alter,
        format('ALTER DOMAIN %s DROP CONSTRAINT IF EXISTS %I', ${NAME}, k.conname) AS drop
      FROM ${DOMAIN_CONSTRAINTS}`,
  },
  {
    kind: 'composite type',
    sql: () => `SELECT ${NAME} AS id, NULL AS parent, '' AS definition,
        format('CREATE TYPE %s AS (%s)', ${NAME}, (SELECT string_agg(format('%I %s', a.attname, ${ATTRIBUTE_TYPE}), ', ' ORDER BY a.attnum) FROM pg_attribute a
          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)) AS make, NULL AS alter, format('DROP TYPE IF EXISTS %s', ${NAME}) AS drop
      FROM ${COMPOSITES} ORDER BY t.oid`,
  },
  {
    kind: 'attribute',
    deletes: true,
    inline: true,
    sql: () => `SELECT format('%s.%I', ${NAME}, a.attname) AS id, 'composite type ' || ${NAME} AS parent, ${ATTRIBUTE_TYPE} AS definition,
        format('ALTER TYPE %s ADD ATTRIBUTE %I %s', ${NAME}, a.attname, ${ATTRIBUTE_TYPE}) AS make,
        format('ALTER TYPE %s ALTER ATTRIBUTE %I TYPE %s', ${NAME}, a.attname, ${ATTRIBUTE_TYPE}) AS alter,
        format('ALTER TYPE %s DROP ATTRIBUTE IF EXISTS %I', ${NAME}, a.attname) AS drop
      FROM ${COMPOSITES} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY t.oid, a.attnum`,
  },
  {
    kind: 'range type',
    sql: () => `SELECT ${NAME} AS id, NULL AS parent, format_type(r.rngsubtype, NULL) || r.rngcollation || r.rngsubdiff || r.rngcanonical AS definition,
        format('CREATE TYPE %s AS RANGE (SUBTYPE = %s%s%s)', ${NAME}, format_type(r.rngsubtype, NULL),
          CASE WHEN r.rngcollation <> 0 AND r.rngcollation <> (SELECT typcollation FROM pg_type WHERE oid = r.rngsubtype) THEN ', COLLATION = ' || r.rngcollation::regcollation END,
          CASE WHEN r.rngsubdiff::oid <> 0 THEN ', SUBTYPE_DIFF = ' || r.rngsubdiff END) AS make,
        NULL AS alter, format('DROP TYPE IF EXISTS %s', ${NAME}) AS drop
      FROM ${TYPES('r')} JOIN pg_range r ON r.rngtypid = t.oid ORDER BY t.oid`,
  },
];
