import type { Decided } from './compare-database';
import type { ComparedTable } from './list-tables';
import type { ReaderPair } from './reader';
import { type Disagreements, fingerprintsOf, type RowFingerprints } from './row-fingerprints';

/** A row whose source holds still and that still differs, this many times, is different for good. */
const CONFIRMATIONS = 3;
/** Looks at a row that never holds still on the source. */
const MOST_LOOKS = 20;
/** Keys that are watched on the target between two looks; more are looked at just before and after. */
const WATCHED_KEYS = 500;
/** A row was watched closely if at least this share of looks found it as the look before had. */
const CLOSELY = 0.5;
const ABSENT = '';

/** What is known of a row that disagreed. */
interface Suspect {
  readonly parts: readonly string[];
  /** Looks in a row at which the source held still and the target had something else. */
  confirmed: number;
  /** Looks at which the source did not hold still, and the target never had what the source had, though watched closely. */
  missed: number;
}

/**
 * Looks again at rows that disagreed, until they agree or are proven different. The source's value is read, then a mark is
 * written behind it and waited for: until then the target must have had that value at some time, and it is watched all
 * the while. A row that never had it differs: at once provable if the source holds still, after many looks if it doesn't. A
 * row that changes faster than the target can be watched stays undecided; the proof decides it.
 */
export async function settle(
  pair: ReaderPair,
  table: ComparedTable,
  disagreements: Disagreements,
  mark: () => Promise<void>,
): Promise<Decided> {
  const open = new Map<string, Suspect>();
  for (const [key, { parts }] of disagreements) open.set(key, { parts, confirmed: 0, missed: 0 });
  const different: Disagreements = new Map();
  for (let look = 0; open.size > 0 && look < MOST_LOOKS; look++) {
    const watch = new Watch();
    const done = { now: false };
    const watching = watchTarget(pair, table, open, watch, done);
    let before: RowFingerprints;
    try {
      await watch.begun;
      before = await fingerprintsOf(pair.source, table, open);
      await mark();
    } finally {
      done.now = true;
      await watching;
    }
    const after = await fingerprintsOf(pair.source, table, open);
    for (const [key, suspect] of open) {
      const value = before.get(key)?.fingerprint ?? ABSENT;
      if (watch.had(key, value)) {
        open.delete(key);
        continue;
      }
      const still = value === (after.get(key)?.fingerprint ?? ABSENT);
      suspect.confirmed = still ? suspect.confirmed + 1 : 0;
      if (!still && watch.closely(key)) suspect.missed += 1;
      if (suspect.confirmed < CONFIRMATIONS && suspect.missed < MOST_LOOKS - CONFIRMATIONS) continue;
      const target = watch.last(key);
      different.set(key, {
        parts: suspect.parts,
        ...(value === ABSENT ? {} : { source: value }),
        ...(target === ABSENT ? {} : { target }),
      });
      open.delete(key);
    }
  }
  return { different, undecided: open.size };
}

/** Reads the target's rows until told to stop, and once more after that. */
async function watchTarget(
  { target }: ReaderPair,
  table: ComparedTable,
  keys: ReadonlyMap<string, Suspect>,
  watch: Watch,
  done: { now: boolean },
): Promise<void> {
  const closely = table.key.length > 0 && keys.size <= WATCHED_KEYS;
  try {
    watch.saw(keys, await fingerprintsOf(target, table, keys));
    while (!done.now) {
      if (closely) watch.saw(keys, await fingerprintsOf(target, table, keys));
      else await new Promise((resolve) => setTimeout(resolve, 5));
    }
    watch.saw(keys, await fingerprintsOf(target, table, keys));
  } catch (error) {
    watch.failed(error);
    throw error;
  }
}

/** What the target's rows were seen to be. */
class Watch {
  readonly #seen = new Map<string, Set<string>>();
  readonly #last = new Map<string, string>();
  readonly #same = new Map<string, number>();
  #looks = 0;
  #begin!: () => void;
  #fail!: (error: unknown) => void;
  /** The first look is done: what the source is now, the target may be from now on. */
  readonly begun = new Promise<void>((resolve, reject) => {
    this.#begin = resolve;
    this.#fail = reject;
  });

  constructor() {
    this.begun.catch(() => undefined);
  }

  saw(keys: ReadonlyMap<string, unknown>, rows: RowFingerprints): void {
    this.#looks += 1;
    for (const key of keys.keys()) {
      const value = rows.get(key)?.fingerprint ?? ABSENT;
      if (this.#last.get(key) === value) this.#same.set(key, (this.#same.get(key) ?? 0) + 1);
      this.#last.set(key, value);
      const seen = this.#seen.get(key);
      if (seen) seen.add(value);
      else this.#seen.set(key, new Set([value]));
    }
    this.#begin();
  }

  failed(error: unknown): void {
    this.#fail(error);
  }

  had(key: string, value: string): boolean {
    return this.#seen.get(key)?.has(value) ?? false;
  }

  last(key: string): string {
    return this.#last.get(key) ?? ABSENT;
  }

  closely(key: string): boolean {
    return this.#looks > 3 && (this.#same.get(key) ?? 0) >= CLOSELY * (this.#looks - 1);
  }
}
