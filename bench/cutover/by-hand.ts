import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';

/** One database on both sides, with sessions that are open and may do everything. */
export interface HandPair {
  readonly source: Client;
  readonly target: Client;
  /** The subscription on the target; its slot has `slot`. */
  readonly subscription: string;
  readonly slot: string;
}

/** A pooler as a script sees it. */
export interface HandPooler {
  /** A session on its admin console. */
  readonly console: Client;
  /** Names the target in its file of databases. */
  rewrite(): void;
}

/** Milliseconds of each move, in their order. */
export type HandTimeline = readonly { readonly step: string; readonly ms: number }[];

const LOOK_EVERY_MS = 1;
/** A drain that takes longer than this never ends. */
const PATIENCE_MS = 30_000;

/** Shortly before: the apply worker confirms when it commits, not when the WAL writer comes round. */
export async function prepareByHand(pairs: readonly HandPair[]): Promise<void> {
  await Promise.all(
    pairs.map(({ target, subscription }) =>
      target.query(`ALTER SUBSCRIPTION ${subscription} SET (synchronous_commit = on)`),
    ),
  );
  // The worker starts anew with it.
  await Promise.all(pairs.map((pair) => untilConfirmed(pair)));
}

/**
 * The floor: what somebody writes who does the same moves in SQL, once, without a check and without a way back. PAUSE, drain, sequences,
 * rewrite, RELOAD, RESUME.
 */
export async function cutOverByHand(pairs: readonly HandPair[], poolers: readonly HandPooler[]): Promise<HandTimeline> {
  const timeline: { step: string; ms: number }[] = [];
  let last = performance.now();
  const done = (step: string): void => {
    const now = performance.now();
    timeline.push({ step, ms: Math.round((now - last) * 10) / 10 });
    last = now;
  };
  await Promise.all(poolers.map(({ console }) => console.query('PAUSE')));
  done('pause');
  await Promise.all(pairs.map((pair) => untilConfirmed(pair)));
  done('drain');
  await Promise.all(pairs.map(copySequences));
  done('sequences');
  for (const pooler of poolers) pooler.rewrite();
  await Promise.all(poolers.map(({ console }) => console.query('RELOAD')));
  await Promise.all(poolers.map(({ console }) => console.query('RESUME')));
  done('switch');
  return timeline;
}

/** Waits until the target has everything that the source has written so far. */
async function untilConfirmed({ source, slot }: HandPair): Promise<void> {
  const { rows } = await source.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn()::text AS lsn');
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const { rowCount } = await source.query(
      'SELECT 1 FROM pg_replication_slots WHERE slot_name = $1 AND active AND confirmed_flush_lsn >= $2::pg_lsn',
      [slot, rows[0]?.lsn],
    );
    if (rowCount) return;
    if (Date.now() > deadline) throw new Error(`the target has not confirmed ${rows[0]?.lsn} on ${slot}`);
    await sleep(LOOK_EVERY_MS);
  }
}

async function copySequences({ source, target }: HandPair): Promise<void> {
  const { rows } = await source.query<{ names: string[] | null; values: string[] | null }>(
    `SELECT array_agg(format('%I.%I', schemaname, sequencename)) AS names, array_agg(last_value::text) AS values
       FROM pg_sequences WHERE last_value IS NOT NULL`,
  );
  const { names, values } = rows[0] ?? {};
  if (!names || !values) return;
  await target.query(
    `SELECT count(setval(name::regclass, value)) FROM unnest($1::text[], $2::bigint[]) AS one (name, value)`,
    [names, values],
  );
}
