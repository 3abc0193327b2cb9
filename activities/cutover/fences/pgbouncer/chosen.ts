import type { FenceEntry } from '../../../../plan/plan';
import type { PoolerConsole, PoolerEntry } from '../../../poolers/console';
import { entriesAt } from '../../../poolers/points-at';
import type { Endpoint } from '../../../postgres/session';

export type PgBouncerEntry = Extract<FenceEntry, { type: 'pgbouncer' }>;

/** What the fence pauses on one pooler. */
export interface Chosen {
  /** The named entries, or, if none is named, those that lead to the source. Other databases of a shared pooler go on. */
  readonly entries: readonly PoolerEntry[];
  /** Those of them that do not visibly lead to the source. */
  readonly elsewhere: readonly PoolerEntry[];
  /** Entries that lead to the source, and that the plan does not name. */
  readonly left: readonly PoolerEntry[];
}

export async function choose(console: PoolerConsole, { databases }: PgBouncerEntry, source: Endpoint): Promise<Chosen> {
  const all = await console.entries();
  const atSource = await entriesAt(all, source);
  const entries = databases ? all.filter(({ name }) => databases.includes(name)) : atSource;
  return {
    entries,
    elsewhere: entries.filter((entry) => !atSource.includes(entry)),
    left: atSource.filter((entry) => !entries.includes(entry)),
  };
}
