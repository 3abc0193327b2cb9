import { queryRows } from '../../postgres/session';
import { counted, evidenceOf, named } from '../findings';
import { script } from '../remedy';
import { databaseCheck, RELATION, USER_SCHEMAS } from '../sql-check';
import { OF_EXTENSION } from './columns';

interface Installed {
  readonly name: string;
  readonly version: string;
  /** What the engine would install; null: it has no such extension. */
  readonly available: string | null;
}

/** Extensions against what the engine offers: the target runs the same release, so it offers the same. */
export const extensions = databaseCheck<Installed>(
  'extensions',
  (session) =>
    queryRows(
      session,
      `SELECT format('%I', e.extname) AS name, e.extversion AS version, a.default_version AS available
         FROM pg_extension e LEFT JOIN pg_available_extensions() a ON a.name = e.extname ORDER BY 1`,
    ),
  (found) => {
    const code = 'extensions';
    const missing = found.filter(({ available }) => available === null);
    const older = found.filter(({ available, version }) => available !== null && available !== version);
    const label = ({ database, name, version }: (typeof found)[number]) => `${database}: ${name} ${version}`;
    const evidence = {
      installed: found.length,
      missing: evidenceOf(missing.map(label)),
      older: evidenceOf(older.map(label)),
    };
    const updates = older.map(({ database, name }) => ({ database, sql: `ALTER EXTENSION ${name} UPDATE;` }));
    if (missing.length > 0) {
      return {
        code,
        level: 'warn',
        message: `${counted(missing.length, 'extension')} that this release of the engine does not have any more: ${named(missing.map(label))}. What uses them fails on the target as it does here.`,
        remedy: script(
          missing.map(({ database, name }) => ({ database, sql: `DROP EXTENSION ${name};`, deletes: true })),
          'that fails where something still uses it',
        ),
        evidence,
      };
    }
    return {
      code,
      level: 'ok',
      message:
        older.length === 0
          ? `the engine of the target has all ${counted(found.length, 'extension')} in their versions`
          : `${counted(older.length, 'extension')} older than the engine offers, which come along as they are: ${named(older.map(label))}`,
      ...(older.length > 0 ? { remedy: script(updates) } : {}),
      evidence,
    };
  },
);

interface Member {
  readonly name: string;
  readonly extension: string;
  readonly rows: boolean;
  readonly ours: boolean;
}

/**
 * Tables that belong to extensions (`spatial_ref_sys`, `cron.job`, partman's): a publication of all tables has them,
 * too. Whether their replica identity can be changed is for their owner to say.
 */
export const extensionTables = databaseCheck<Member>(
  'extension-tables',
  (session) =>
    queryRows(
      session,
      `SELECT ${RELATION} AS name, x.extname AS extension, c.relpages > 0 AS rows, pg_has_role(c.relowner, 'USAGE') AS ours
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
         JOIN pg_extension x ON d.refclassid = 'pg_extension'::regclass AND x.oid = d.refobjid
        WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND ${USER_SCHEMAS} AND ${OF_EXTENSION}
        ORDER BY 1`,
    ),
  (found) => {
    const code = 'extension-tables';
    if (found.length === 0) return { code, level: 'ok', message: 'no extension has tables of its own' };
    const lines = found.map(({ database, name, extension }) => `${database}: ${name} of ${extension}`);
    return {
      code,
      level: 'ok',
      message: `${counted(found.length, 'table')} of extensions, which come with the snapshot and are replicated like all others: ${named(lines)}`,
      evidence: evidenceOf(lines),
    };
  },
);
