import { randomUUID } from 'node:crypto';
import type { Dependencies, MigrationRef } from '../dependencies';
import { reportProgress } from '../heartbeat';
import { readMark, writeMark } from '../postgres/fence-table';
import {
  accessTo,
  escapeIdentifier,
  inEachDatabase,
  queryOne,
  queryRows,
  type Session,
  withSession,
} from '../postgres/session';
import { throwIfCancelled, waitUntil } from '../wait';
import { orderViews, type Uses } from './order-views';
import { noteRefreshed, readViewStates, type ViewStates } from './view-states';

const STATEMENT_TIMEOUT_MS = 6 * 3_600_000;
const LOCK_TIMEOUT_MS = 60_000;
/** The target is nearly in step by now. Where it falls back, views are refreshed from what there is, and the board calls them stale. */
const ARRIVES_WITHIN_MS = 60_000;
/** So many views are named that could not be refreshed, each with so much of the reason. */
const MOST_LEFT = 100;
const MOST_CHARACTERS = 2_000;

export interface MaterializedView {
  readonly schema: string;
  readonly name: string;
  readonly owner: string;
  readonly bytes: number;
}

export interface RefreshedViews {
  readonly refreshed: number;
  /** Views that could not be refreshed, and why: they have the contents of the snapshot. */
  readonly left: readonly { readonly view: string; readonly why: string }[];
  /** How many, where `left` doesn't name all. */
  readonly leftCount?: number;
}

/** By oid and name: what PostgreSQL has no order for keeps this one. */
const VIEWS = `SELECT c.oid::int8::float8 AS oid, c.relkind = 'm' AND c.relispopulated AS listed, n.nspname AS schema, c.relname AS name,
         pg_get_userbyid(c.relowner) AS owner, CASE c.relkind WHEN 'm' THEN pg_table_size(c.oid) ELSE 0 END::float8 AS bytes
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm') ORDER BY 3, 4`;

/** What a view is made of is what its SELECT rule depends on; its other rules (`INSTEAD`) may well read a view that is made of it. */
const USES = `SELECT DISTINCT r.ev_class::int8::float8 AS view, d.refobjid::int8::float8 AS used
    FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
     AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
    JOIN pg_class c ON c.oid = d.refobjid AND c.relkind IN ('v', 'm')
   WHERE r.ev_type = '1'`;

/**
 * The populated materialized views, those that others are made of first. One `WITH NO DATA` stays without.
 * @see https://www.postgresql.org/docs/current/catalog-pg-rewrite.html
 */
export async function listMaterializedViews(session: Session): Promise<MaterializedView[]> {
  const views = await queryRows<MaterializedView & { oid: number; listed: boolean }>(session, VIEWS);
  const uses = await queryRows<Uses>(session, USES);
  const byOid = new Map(views.map((view) => [view.oid, view]));
  return orderViews([...byOid.keys()], uses)
    .flatMap((oid) => byOid.get(oid) ?? [])
    .filter(({ listed }) => listed)
    .map(({ schema, name, owner, bytes }) => ({ schema, name, owner, bytes }));
}

/**
 * Refreshes the materialized views of the target from what has been applied there: no publication has them. As the owner of
 * each. One that fails keeps the contents of the snapshot, and is named. How those of the source stood before is noted, so that the board knows which have
 * been refreshed there since.
 */
export async function refreshViews(
  deps: Dependencies,
  input: MigrationRef & { databases: readonly string[] },
): Promise<RefreshedViews> {
  const [source, access] = [await accessTo(deps, input, 'source'), await accessTo(deps, input, 'target')];
  const options = { step: 'refresh', statementTimeoutMs: STATEMENT_TIMEOUT_MS, lockTimeoutMs: LOCK_TIMEOUT_MS };
  const left: { view: string; why: string }[] = [];
  let refreshed = 0;
  await inEachDatabase(access, input.databases, options, async (session, database) => {
    const views = await listMaterializedViews(session);
    if (views.length === 0) return;
    const states = await withSession(source, { step: 'refresh', database }, (from) =>
      arrivedStates(from, session, input.id),
    );
    for (const { schema, name, owner } of views) {
      await throwIfCancelled();
      const view = `${database} ${schema}.${name}`;
      reportProgress(() => ({ waitingFor: `refresh of ${view}`, refreshed }));
      try {
        // A function in the view may find its tables by the path that applications have.
        await session.query(
          `BEGIN; SET LOCAL search_path TO DEFAULT; SET LOCAL ROLE ${escapeIdentifier(owner)};
           REFRESH MATERIALIZED VIEW ${escapeIdentifier(schema)}.${escapeIdentifier(name)}; COMMIT`,
        );
        refreshed += 1;
        await noteState(session, input.id, { schema, name }, states);
      } catch (error) {
        // A session that broke is no fault of the view.
        await session.query('ROLLBACK');
        left.push({ view, why: error instanceof Error ? error.message : String(error) });
      }
    }
  });
  const named = left.slice(0, MOST_LEFT).map(({ view, why }) => ({ view, why: why.slice(0, MOST_CHARACTERS) }));
  return { refreshed, left: named, ...(left.length > MOST_LEFT ? { leftCount: left.length } : {}) };
}

/**
 * How the views of the source stand, once everything that was committed there before is on the target; undefined where that takes too long.
 */
async function arrivedStates(source: Session, target: Session, migration: string): Promise<ViewStates | undefined> {
  const states = await readViewStates(source, migration);
  const mark = randomUUID();
  await writeMark(source, migration, 'refresh', mark);
  const until = Date.now() + ARRIVES_WITHIN_MS;
  return waitUntil(async () => {
    if ((await readMark(target, migration, 'refresh')) === mark) return { done: states };
    return Date.now() > until ? { done: undefined } : { waitingFor: 'the mark before the refresh' };
  });
}

async function noteState(
  target: Session,
  migration: string,
  { schema, name }: { readonly schema: string; readonly name: string },
  states: ViewStates | undefined,
): Promise<void> {
  const { view } = await queryOne<{ view: string }>(target, `SELECT format('%I.%I', $1::text, $2::text) AS view`, [
    schema,
    name,
  ]);
  const state = states?.get(view);
  if (state !== undefined) await noteRefreshed(target, migration, view, state);
}
