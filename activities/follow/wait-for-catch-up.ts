import { randomUUID } from 'node:crypto';
import { subscriptionName } from '../../plan/names';
import { compareLsn, type Lsn } from '../../plan/lsn';
import type { Lag } from '../../plan/progress';
import type { Dependencies } from '../dependencies';
import { refuseDrift } from '../drift/find-drift';
import { takeNewTablesAlong } from '../drift/take-new-tables-along';
import { readMark, writeMark } from '../postgres/fence-table';
import { accessTo, inEachDatabase, queryRows, type Session, withSession } from '../postgres/session';
import { appliedUpTo } from '../postgres/subscriptions';
import { waitUntil } from '../wait';
import { largest, type LagInput, readSlots, trendOf } from './read-lag';
import { refuseFailingApply } from './refuse-failing-apply';

/**
 * Waits until the lag is below what the plan allows for a cutover, and a mark that is then written on the source has
 * arrived in every database of the target. The mark also moves the slot of an idle database. Then both schemas are compared, and tables
 * that are new get their rows.
 * @throws ApplicationFailure SlotLost; SchemaDrifted; SubscriptionFailed when apply fails again and again though the schemas are alike
 */
export async function waitForCatchUp(deps: Dependencies, input: LagInput): Promise<Lag> {
  const source = await accessTo(deps, input, 'source');
  const drift = new DriftWatch(deps, input);
  let before = Number.POSITIVE_INFINITY;
  await waitUntil(async () => {
    const slots = await withSession(source, { step: 'catch-up', database: 'postgres', readOnly: true }, (session) =>
      readSlots(session, input, input.databases),
    );
    const bytes = largest(slots);
    const trend = trendOf(before, bytes);
    before = bytes;
    if (bytes <= input.plan.cutover.maxLagBytes && slots.every(({ active }) => active)) return { done: undefined };
    // An apply worker that fails lets go of its slot each time; before PostgreSQL 15 nothing else tells.
    if (slots.some(({ active }) => !active)) await drift.look();
    await refuseFailingApply(deps, input);
    return { waitingFor: `lag ${bytes} bytes, ${trend}` };
  });
  await marksArrive(deps, input, drift);
  await refuseDrift(deps, input);
  await takeNewTablesAlong(deps, input);
  return { bytes: before, trend: 'steady', at: new Date().toISOString() };
}

/** Comparing both schemas is no small thing: not more often than this while apply stumbles. */
const DRIFT_EVERY_MS = 10_000;

/** Looks for drift when apply does not go on: a column or table that the target lacks is the usual reason. */
class DriftWatch {
  #lookedAt = 0;

  constructor(
    private readonly deps: Dependencies,
    private readonly input: LagInput,
  ) {}

  /** @throws ApplicationFailure SchemaDrifted */
  async look(): Promise<void> {
    if (Date.now() - this.#lookedAt < DRIFT_EVERY_MS) return;
    this.#lookedAt = Date.now();
    await refuseDrift(this.deps, this.input);
  }
}

async function marksArrive(deps: Dependencies, input: LagInput, drift: DriftWatch): Promise<void> {
  const [source, target] = [await accessTo(deps, input, 'source'), await accessTo(deps, input, 'target')];
  const mark = randomUUID();
  const before = new Map<string, Lsn>();
  await inEachDatabase(source, input.databases, { step: 'catch-up' }, async (session, database) =>
    before.set(database, await writeMark(session, input.id, 'catch-up', mark)),
  );
  await inEachDatabase(target, input.databases, { step: 'catch-up', readOnly: true }, (session, database) =>
    waitUntil(async () => {
      if ((await readMark(session, input.id, 'catch-up')) === mark) return { done: undefined };
      // Another attempt may have written its own mark over this one: the origin tells as well.
      const applied = await appliedUpTo(session, subscriptionName(input, database));
      if (applied && compareLsn(applied, before.get(database) ?? applied) > 0) return { done: undefined };
      if (await stumbles(session, subscriptionName(input, database))) await drift.look();
      await refuseFailingApply(deps, input);
      return { waitingFor: `mark in ${database}` };
    }),
  );
}

/** Whether apply has no worker at this moment, as between two tries that fail. */
async function stumbles(session: Session, subscription: string): Promise<boolean> {
  const working = await queryRows(
    session,
    'SELECT 1 FROM pg_stat_subscription WHERE subname = $1 AND pid IS NOT NULL AND relid IS NULL',
    [subscription],
  );
  return working.length === 0;
}
