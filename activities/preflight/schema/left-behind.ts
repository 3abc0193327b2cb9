import { queryRows } from '../../postgres/session';
import { counted, evidenceOf, named } from '../findings';
import { script } from '../remedy';
import { databaseCheck, RELATION, USER_SCHEMAS } from '../sql-check';

const MIB = 1_048_576;
const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;
const sum = (numbers: readonly string[]): number => numbers.reduce((total, one) => total + Number(one), 0);

/** Large objects are in a system catalog, which logical replication leaves out. */
export const largeObjects = databaseCheck<{ count: string; bytes: string }>(
  'large-objects',
  (session) =>
    queryRows(
      session,
      `SELECT count(*)::text AS count, pg_table_size('pg_largeobject')::text AS bytes
         FROM pg_largeobject_metadata HAVING count(*) > 0`,
    ),
  (found, { plan }) => {
    const code = 'large-objects';
    if (found.length === 0) return { code, level: 'ok', message: 'there are no large objects' };
    const [count, bytes] = [sum(found.map((one) => one.count)), sum(found.map((one) => one.bytes))];
    const evidence = { count, bytes, databases: found.map(({ database }) => database) };
    const what = `${counted(count, 'large object')}, ${mib(bytes)}, in ${named(evidence.databases)}`;
    if (plan.carry.largeObjects === 'copy')
      return { code, level: 'ok', message: `${what}: copied inside the pause`, evidence };
    return {
      code,
      level: 'block',
      message: `${what}. Logical replication leaves them out: what is written to them after the snapshot would be lost.`,
      remedy: script(
        found.map(({ database }) => ({
          database,
          sql: 'SELECT lo_unlink(oid) FROM pg_largeobject_metadata;',
          deletes: true,
        })),
        'to keep them, have them copied inside the pause, in the plan: carry: { largeObjects: copy }',
      ),
      evidence,
    };
  },
);

/** Unlogged tables write no WAL, so there is nothing to replicate, and a restored snapshot has them empty. */
export const unloggedTables = databaseCheck<{ name: string; kind: string; bytes: string }>(
  'unlogged-tables',
  (session) =>
    queryRows(
      session,
      `SELECT ${RELATION} AS name, c.relkind AS kind, pg_table_size(c.oid)::text AS bytes
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND c.relpersistence = 'u' AND ${USER_SCHEMAS} ORDER BY 1`,
    ),
  (found, { plan }) => {
    const code = 'unlogged-tables';
    if (found.length === 0) return { code, level: 'ok', message: 'there are no unlogged tables' };
    const lines = found.map(({ database, name, bytes }) => `${database}: ${name} (${mib(Number(bytes))})`);
    const evidence = { ...evidenceOf(lines), bytes: sum(found.map((one) => one.bytes)) };
    const what = `${counted(found.length, 'unlogged table')}: ${named(lines)}`;
    if (plan.carry.unloggedTables === 'copy')
      return { code, level: 'ok', message: `${what}. Their contents are copied inside the pause`, evidence };
    if (plan.carry.unloggedTables === 'empty')
      return { code, level: 'ok', message: `${what}. They are empty on the target, as the plan wants`, evidence };
    return {
      code,
      level: 'block',
      message: `${what}. They write no WAL: a restored snapshot has them empty, and nothing fills them.`,
      remedy: script(
        found.map(({ database, name }) => ({ database, sql: `ALTER TABLE ${name} SET LOGGED;` })),
        'that writes each of them to the WAL once; or in the plan: carry: { unloggedTables: copy } or { unloggedTables: empty }',
      ),
      evidence,
    };
  },
);

/**
 * A TRUNCATE ... CASCADE empties, on the source, the unlogged tables that refer to the one named. The unlogged ones are not published, so apply
 * truncates without them, and without CASCADE: PostgreSQL refuses that, whether they have rows or not.
 * @see https://www.postgresql.org/docs/current/logical-replication-restrictions.html
 */
export const unloggedReferences = databaseCheck<{ child: string; constraint: string; parent: string }>(
  'unlogged-references',
  (session) =>
    queryRows(
      session,
      `SELECT ${RELATION} AS child, format('%I', k.conname) AS "constraint", format('%I.%I', pn.nspname, p.relname) AS parent
         FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
        WHERE k.contype = 'f' AND k.conparentid = 0 AND c.relpersistence = 'u' AND p.relpersistence = 'p' AND ${USER_SCHEMAS}
        ORDER BY 1, 2`,
    ),
  (found) => {
    const code = 'unlogged-references';
    if (found.length === 0) return { code, level: 'ok', message: 'no unlogged table refers to one that is replicated' };
    const lines = found.map(
      ({ database, child, constraint, parent }) => `${database}: ${child} refers to ${parent} (${constraint})`,
    );
    return {
      code,
      level: 'warn',
      message: `${counted(found.length, 'foreign key')} from unlogged tables to replicated ones: ${named(lines)}. A TRUNCATE ... CASCADE of such a replicated table stops replication.`,
      remedy: script(
        found.map(({ database, child, constraint }) => ({
          database,
          sql: `ALTER TABLE ${child} DROP CONSTRAINT ${constraint};`,
        })),
        'or make the table a logged one: ALTER TABLE ... SET LOGGED; or, where nobody truncates, acknowledge this in the plan',
      ),
      evidence: evidenceOf(lines),
    };
  },
);

/** Materialised views are not replicated; they are refreshed on the target. */
export const materializedViews = databaseCheck<{ name: string; bytes: string }>(
  'materialized-views',
  (session) =>
    queryRows(
      session,
      `SELECT ${RELATION} AS name, pg_table_size(c.oid)::text AS bytes
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'm' AND ${USER_SCHEMAS} ORDER BY 1`,
    ),
  (found, { plan }) => {
    const code = 'materialized-views';
    if (found.length === 0) return { code, level: 'ok', message: 'there are no materialised views' };
    const lines = found.map(({ database, name, bytes }) => `${database}: ${name} (${mib(Number(bytes))})`);
    return {
      code,
      level: 'ok',
      message: `${counted(found.length, 'materialised view')}, ${
        plan.carry.materializedViews === 'refresh'
          ? 'refreshed on the target before the cutover gate'
          : 'as of the snapshot on the target, as the plan wants'
      }: ${named(lines)}`,
      evidence: evidenceOf(lines),
    };
  },
);

/** A foreign table has no rows of its own; it and its server come along, and the server is asked from a new address. */
export const foreignTables = databaseCheck<{ name: string; server: string }>(
  'foreign-tables',
  (session) =>
    queryRows(
      session,
      `SELECT ${RELATION} AS name, format('%I', s.srvname) AS server
         FROM pg_foreign_table f JOIN pg_class c ON c.oid = f.ftrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_foreign_server s ON s.oid = f.ftserver ORDER BY 1`,
    ),
  (found) => {
    const code = 'foreign-tables';
    if (found.length === 0) return { code, level: 'ok', message: 'there are no foreign tables' };
    const lines = found.map(({ database, name, server }) => `${database}: ${name} of server ${server}`);
    return {
      code,
      level: 'warn',
      message: `${counted(found.length, 'foreign table')}: ${named(lines)}. They come along; from the cutover on, their servers are asked by the target, from another address.`,
      remedy: script(
        found.map(({ database, name }) => ({ database, sql: `DROP FOREIGN TABLE ${name};`, deletes: true })),
        'to keep them, let their servers admit the target, then acknowledge this in the plan',
      ),
      evidence: evidenceOf(lines),
    };
  },
);
