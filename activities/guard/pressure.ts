import { bytes } from '../../plan/format';
import { slotName } from '../../plan/names';
import type { Dependencies, MigrationRef } from '../dependencies';
import { accessTo, queryOne, withSession } from '../postgres/session';
import { freeStorageOfSource } from './free-storage';

export interface PressureInput extends MigrationRef {
  readonly databases: readonly string[];
}

/** An answer serves so long: whoever asks between chunks asks far more often. */
const FRESH_MS = 10_000;

interface Answer {
  readonly askedAt: number;
  readonly reason: Promise<string | undefined>;
}
const answers = new WeakMap<Dependencies, Map<string, Answer>>();

/**
 * Whether work that can wait (verify, warm-up) has to, for the source's sake: its free storage is below
 * `guard.pauseFreeStoragePercent`, or one of our slots is about to lose its WAL. Cheap enough to be asked between chunks:
 * it asks the world every ten seconds at most. Once our slots are gone (after the pause), nothing is under pressure.
 * @returns why, in words for the operator; undefined: go on
 */
export function sourceIsUnderPressure(deps: Dependencies, input: PressureInput): Promise<string | undefined> {
  const known = answers.get(deps) ?? new Map<string, Answer>();
  answers.set(deps, known);
  const before = known.get(input.id);
  if (before && Date.now() - before.askedAt < FRESH_MS) return before.reason;
  const reason = look(deps, input);
  known.set(input.id, { askedAt: Date.now(), reason });
  reason.catch(() => known.delete(input.id));
  return reason;
}

async function look(deps: Dependencies, input: PressureInput): Promise<string | undefined> {
  const access = await accessTo(deps, input, 'source');
  const { endangered } = await withSession(access, { step: 'guard', database: 'postgres', readOnly: true }, (session) =>
    queryOne<{ endangered: string | null }>(
      session,
      `SELECT string_agg(slot_name, ', ' ORDER BY slot_name) AS endangered FROM pg_replication_slots
        WHERE slot_name = ANY ($1::text[]) AND wal_status IN ('unreserved', 'lost')`,
      [input.databases.map((database) => slotName(input, database))],
    ),
  );
  if (endangered) return `slot ${endangered} is about to lose the WAL that it needs`;
  // Without the figure there is no reason to wait: the guard says that it is missing.
  const storage = await freeStorageOfSource(deps, input).catch(() => undefined);
  const { pauseFreeStoragePercent } = input.plan.guard;
  if (!storage || storage.percent >= pauseFreeStoragePercent) return undefined;
  return `the source has ${bytes(storage.freeBytes)} of free storage (${storage.percent.toFixed(1)} %), the plan pauses below ${pauseFreeStoragePercent} %`;
}
