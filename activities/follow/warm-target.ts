import { fenceSchema } from '../../plan/names';
import type { Dependencies } from '../dependencies';
import { accessTo, escapeIdentifier, queryRows, type Session, withSession } from '../postgres/session';
import { reportProgress } from '../heartbeat';
import { throwIfCancelled } from '../wait';
import type { LagInput } from './read-lag';

const STATEMENT_TIMEOUT_MS = 6 * 3_600_000;

export interface Warmed {
  readonly relations: number;
  readonly blocks: number;
}

/**
 * Reads every block of the target once, since a restored volume loads lazily and the first reader of a block would wait
 * for the snapshot store, and gathers statistics. `pg_prewarm` in mode `read` fills the volume without evicting what is
 * cached; where the extension isn't available only the statistics are gathered.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RestoreFromSnapshot.html
 */
export async function warmTarget(deps: Dependencies, input: LagInput): Promise<Warmed> {
  const access = await accessTo(deps, input, 'target');
  const warmed = { relations: 0, blocks: 0, current: '' };
  reportProgress(() => ({ waitingFor: warmed.current, relations: warmed.relations, blocks: warmed.blocks }));
  for (const database of input.databases) {
    const options = { step: 'warm-up', database, statementTimeoutMs: STATEMENT_TIMEOUT_MS };
    await withSession(access, options, async (session) => {
      await readBlocks(session, input.id, warmed, database);
      warmed.current = `statistics of ${database}`;
      await session.query('ANALYZE');
    });
  }
  return { relations: warmed.relations, blocks: warmed.blocks };
}

async function readBlocks(
  session: Session,
  migration: string,
  warmed: { relations: number; blocks: number; current: string },
  database: string,
): Promise<void> {
  const schema = await installPrewarm(session, fenceSchema(migration));
  if (!schema) return;
  const relations = await queryRows<{ oid: string; name: string }>(
    session,
    `SELECT c.oid::text, c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'i', 't', 'm') AND c.relpersistence = 'p' AND pg_relation_size(c.oid) > 0
        AND n.nspname NOT IN ('pg_catalog', 'information_schema')`,
  );
  for (const { oid, name } of relations) {
    await throwIfCancelled();
    warmed.current = `${database} ${name}`;
    const [row] = await queryRows<{ blocks: string }>(
      session,
      `SELECT ${escapeIdentifier(schema.name)}.pg_prewarm($1::oid::regclass, 'read')::text AS blocks`,
      [oid],
    );
    warmed.relations += 1;
    warmed.blocks += Number(row?.blocks ?? 0);
  }
  if (!schema.wasThere) await session.query('DROP EXTENSION IF EXISTS pg_prewarm');
}

/** Schema of the extension; undefined where the server doesn't have it. */
async function installPrewarm(
  session: Session,
  ours: string,
): Promise<{ name: string; wasThere: boolean } | undefined> {
  const find = () =>
    queryRows<{ name: string }>(
      session,
      `SELECT n.nspname AS name FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_prewarm'`,
    );
  const [installed] = await find();
  if (installed) return { name: installed.name, wasThere: true };
  const available = await queryRows(session, `SELECT 1 FROM pg_available_extensions WHERE name = 'pg_prewarm'`);
  if (available.length === 0) return undefined;
  await session.query(`CREATE EXTENSION pg_prewarm WITH SCHEMA ${escapeIdentifier(ours)}`);
  const [made] = await find();
  return made && { name: made.name, wasThere: false };
}
