import type { Client } from 'pg';
import { qualified } from '../sql';

interface Sequence {
  readonly label: string;
  readonly step: bigint;
  readonly cycles: boolean;
  readonly cache: bigint;
  readonly last: bigint;
  readonly called: boolean;
}

/**
 * `SEQ_LOG_VALS` of src/backend/commands/sequence.c: WAL has a sequence so many values ahead, and so has a server that recovered from a
 * crash, as a snapshot does.
 */
const LOGGED_AHEAD = 32n;

const SEQUENCES = `
  SELECT n.nspname AS schema, c.relname AS name, s.seqincrement::text AS step, s.seqcycle AS cycles, s.seqcache::text AS cache
    FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relpersistence <> 't' AND n.nspname !~ '^keyshift_' ORDER BY 1, 2`;

async function sequencesOf(client: Client): Promise<Sequence[]> {
  const { rows } = await client.query<{ schema: string; name: string; step: string; cycles: boolean; cache: string }>(
    SEQUENCES,
  );
  const found: Sequence[] = [];
  for (const { schema, name, step, cycles, cache } of rows) {
    const label = qualified(schema, name);
    const state = await client.query<{ last: string; called: boolean }>(
      `SELECT last_value::text AS last, is_called AS called FROM ${label}`,
    );
    const [now] = state.rows;
    found.push({
      label,
      step: BigInt(step),
      cycles,
      cache: BigInt(cache),
      last: BigInt(now?.last ?? 0),
      called: now?.called ?? false,
    });
  }
  return found;
}

/** The value that it gives next, were there no end to it. */
const next = ({ last, called, step }: Sequence): bigint => (called ? last + step : last);

/** Sequences that would give a value again, and those that left out more than a recovery explains. */
export async function wrongSequences(source: Client, target: Client): Promise<string[]> {
  const [there, here] = [await sequencesOf(source), await sequencesOf(target)];
  const byLabel = new Map(here.map((one) => [one.label, one]));
  return there.flatMap((wanted) => {
    const found = byLabel.get(wanted.label);
    if (!found) return [`sequence ${wanted.label} is not on the target`];
    if (wanted.cycles)
      return next(wanted) === next(found)
        ? []
        : [`sequence ${wanted.label} gives ${next(found)} next, not ${next(wanted)}`];
    const ahead = (next(found) - next(wanted)) / wanted.step;
    if (ahead < 0n) return [`sequence ${wanted.label} gives ${next(found)} next, and ${next(wanted)} is due`];
    // A session of the source may have taken as many as its cache holds.
    const most = LOGGED_AHEAD + 2n * wanted.cache;
    return ahead > most ? [`sequence ${wanted.label} is ${ahead} values ahead`] : [];
  });
}
