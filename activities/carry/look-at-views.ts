import { type BoardLine, green, red } from '../../plan/board';
import { instanceOf, type MigrationRef } from '../dependencies';
import { type EachDatabase, oneByOne } from '../each-database';
import { type Sides, withSession } from '../postgres/session';
import { counted } from '../preflight/findings';
import { type Statement, script } from '../preflight/remedy';
import { readViewStates, type StaleView, staleViews } from './view-states';

/** So many views of a database are named: a line of the board has an end. */
const MOST_NAMED = 10;

/**
 * Whether a materialized view of the target is older than the source's, because the source's was refreshed after the target's. In each database that has such
 * views, a red line with what refreshes them.
 */
export async function lookAtViews(
  input: MigrationRef & { readonly databases: readonly string[] },
  { source, target }: Sides,
  each: EachDatabase = oneByOne,
): Promise<BoardLine[]> {
  const keeps = input.plan.carry.materializedViews === 'keep';
  const found = await each('materialized views', input.databases, async (database, look) => {
    const options = { step: 'go-no-go', database, ...look };
    const states = await withSession(source, { ...options, readOnly: true }, (session) =>
      readViewStates(session, input.id),
    );
    const stale =
      states.size === 0 || keeps
        ? []
        : await withSession(target, options, (session) => staleViews(states, session, input.id));
    return { database, views: states.size, stale };
  });
  const lines = found.flatMap(({ database, stale }) =>
    stale.length > 0 ? red('stale-views', textOf(instanceOf(input, 'target'), database, stale)) : [],
  );
  const views = found.reduce((sum, one) => sum + one.views, 0);
  if (views === 0 || lines.length > 0 || found.length < input.databases.length) return lines;
  return green(
    'stale-views',
    keeps
      ? `${counted(views, 'materialized view keeps', 'materialized views keep')} the contents of the snapshot (carry.materializedViews: keep)`
      : `${counted(views, 'materialized view')} of the target: none was refreshed on the source since`,
  );
}

/** The databases of the target are read-only by default until the switch. */
function textOf(instance: string, database: string, stale: readonly StaleView[]): string {
  const named = stale.slice(0, MOST_NAMED);
  const statements: Statement[] = [
    { database, sql: 'SET default_transaction_read_only = off;' },
    ...named.map(({ view }) => ({ database, sql: `REFRESH MATERIALIZED VIEW ${view};` })),
  ];
  const more = stale.length - named.length;
  const why = stale.every(({ refreshed }) => refreshed)
    ? 'refreshed on the source, or changed there by VACUUM FULL, since the target refreshed them'
    : 'refreshed on the source since, or not refreshed on the target since the snapshot';
  return `database ${database}: ${counted(stale.length, 'materialized view')} of the target may be older than on the source: ${why}. Run this on ${instance}, then look again:\n${script(
    statements,
    ...(more > 0 ? [`and ${more} more: look again after these`] : []),
  )}`;
}
