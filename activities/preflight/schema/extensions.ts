import { outOfReach } from '../../postgres/extension-tables';
import { queryRows } from '../../postgres/session';
import { counted, evidenceOf, named } from '../findings';
import { script } from '../remedy';
import { databaseCheck, RELATION, USER_SCHEMAS } from '../sql-check';

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
  readonly owner: string;
  /** Nobody can become its owner. */
  readonly beyond: boolean;
  /** Somebody else than its owner may write into it. */
  readonly written: boolean;
  /** It has no replica identity: published, it takes no UPDATE and no DELETE. */
  readonly bare: boolean;
}

/**
 * Tables that belong to extensions (`spatial_ref_sys`, `cron.job`, partman's): a publication of all tables has them, too. Those of RDS's own extensions
 * belong to `rdsadmin`: from 15 on apply may not write into them, so the subscription leaves them out, on every major alike. What of pg_cron that means is
 * said by name; of others, whether anybody may write into them.
 */
export const extensionTables = databaseCheck<Member>(
  'extension-tables',
  (session) =>
    queryRows(
      session,
      `SELECT ${RELATION} AS name, coalesce(x.extname, o.rolname) AS extension, o.rolname AS owner, ${outOfReach()} AS beyond,
              EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner AND a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')) AS written,
              c.relreplident = 'n' OR c.relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) AS bare
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles o ON o.oid = c.relowner
         LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
         LEFT JOIN pg_extension x ON d.refclassid = 'pg_extension'::regclass AND x.oid = d.refobjid
        WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND ${USER_SCHEMAS} AND (x.oid IS NOT NULL OR ${outOfReach()})
        ORDER BY 1`,
    ),
  (found) => {
    const code = 'extension-tables';
    if (found.length === 0) return { code, level: 'ok', message: 'no extension has tables of its own' };
    const label = ({ database, name, extension }: (typeof found)[number]) => `${database}: ${name} of ${extension}`;
    const within = found.filter(({ beyond }) => !beyond);
    const beyond = found.filter((one) => one.beyond);
    const written = beyond.filter((one) => one.written && one.extension !== 'pg_cron');
    const bare = written.filter((one) => one.bare);
    const owners = [...new Set(beyond.map(({ owner }) => owner))].join(', ');
    const message = [
      ...(within.length > 0
        ? [
            `${counted(within.length, 'table')} of extensions, which come with the snapshot and are replicated like all others: ${named(within.map(label))}`,
          ]
        : []),
      ...(beyond.length > 0
        ? [
            `${counted(beyond.length, 'table')} of extensions that belong to ${owners}, whom nobody can become: ${named(beyond.map(label))}. Nobody else may apply changes to them, so they come with the snapshot and are not replicated`,
          ]
        : []),
      ...(beyond.some(({ extension }) => extension === 'pg_cron') ? [PG_CRON] : []),
      ...(written.length > 0
        ? [
            `Somebody may write into ${named(written.map(label))}: what is written there after the snapshot, the target does not have${bare.length > 0 ? `, and UPDATE and DELETE fail while they are published (${named(bare.map(label))}: no replica identity)` : ''}`,
          ]
        : []),
    ].join('. ');
    return {
      code,
      level: written.length > 0 ? 'warn' : 'ok',
      message,
      ...(written.length > 0
        ? {
            remedy:
              '-- write nothing there until the switch, or write it on the target as well; then acknowledge extension-tables in the plan',
          }
        : {}),
      evidence: { ...evidenceOf(found.map(label)), notReplicated: evidenceOf(beyond.map(label)) },
    };
  },
);

/** What leaving out cron.job and cron.job_run_details means. */
const PG_CRON =
  'Jobs of pg_cron that are scheduled, changed or unscheduled after the snapshot have to be on the target, too (the board names them), and the target has no record of the runs since';
