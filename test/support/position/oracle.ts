import { setTimeout as sleep } from 'node:timers/promises';
import type { SlotFacts } from '../../../plan/position';
import type { Site } from './site';

/** More than the rows of a round need on a busy machine. */
const CATCH_UP_MS = 60_000;

interface Subscription {
  readonly slots: readonly SlotFacts[];
  readonly publication: string;
  readonly position: string;
}

/**
 * Subscribes the clone from a position, lets it catch up, and counts rows. Shares nothing with how the product finds the
 * position, nor with how it subscribes.
 * @returns what is wrong, or undefined when every row of the source is on the clone as often as there
 */
export async function lossOf(source: Site, clone: Site, subscription: Subscription): Promise<string | undefined> {
  await forgetWhatCame(clone);
  for (const { database, slot } of subscription.slots) {
    await subscribe(source, clone, { ...subscription, database, slot });
  }
  const wrong: string[] = [];
  for (const { database } of subscription.slots) {
    const end = `end ${Math.random()}`;
    await source.sql(database, `INSERT INTO plain VALUES (-1, '${end}')`);
    const arrived = await untilArrived(clone, database, end);
    if (!arrived) wrong.push(`${database} does not catch up: ${lastErrors(clone)}`);
    else wrong.push(...(await differences(source, clone, database)));
  }
  return wrong.length === 0 ? undefined : wrong.join('; ');
}

async function forgetWhatCame(clone: Site): Promise<void> {
  const prepared = await clone.sql<{ gid: string; database: string }>(
    'postgres',
    'SELECT gid, database FROM pg_prepared_xacts',
  );
  for (const { gid, database } of prepared) await clone.sql(database, `ROLLBACK PREPARED '${gid}'`);
  await clone.sql('postgres', 'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots');
}

async function subscribe(
  source: Site,
  clone: Site,
  { database, slot, publication, position }: Subscription & { readonly database: string; readonly slot: string },
): Promise<void> {
  const connection = `host=127.0.0.1 port=${source.port} user=rdsadmin dbname=${database}`;
  await clone.sql(
    database,
    `CREATE SUBSCRIPTION s_${database} CONNECTION '${connection}' PUBLICATION ${publication}
       WITH (create_slot = false, enabled = false, copy_data = false, slot_name = '${slot}')`,
  );
  const advance = `SELECT pg_replication_origin_advance('pg_' || oid, '${position}') FROM pg_subscription WHERE subname = 's_${database}'`;
  await clone.sql(database, advance);
  await clone.sql(database, `ALTER SUBSCRIPTION s_${database} ENABLE`);
}

async function untilArrived(clone: Site, database: string, end: string): Promise<boolean> {
  const deadline = Date.now() + CATCH_UP_MS;
  while (Date.now() < deadline) {
    const rows = await clone.sql(database, `SELECT 1 FROM plain WHERE id = -1 AND note = '${end}'`);
    if (rows.length > 0) return true;
    if (/ERROR: {2}duplicate key/.test(clone.log)) return false;
    await sleep(50);
  }
  return false;
}

const lastErrors = (clone: Site): string =>
  clone.log
    .split('\n')
    .filter((line) => /ERROR|FATAL/.test(line))
    .slice(-2)
    .join(' | ');

async function differences(source: Site, clone: Site, database: string): Promise<string[]> {
  const wrong: string[] = [];
  for (const table of ['plain', 'keyed']) {
    const count = `SELECT id::text, count(*)::int AS times FROM ${table} GROUP BY id`;
    const [there, here] = await Promise.all(
      [source, clone].map((site) => site.sql<{ id: string; times: number }>(database, count)),
    );
    const timesOf = (rows: readonly { id: string; times: number }[]) =>
      new Map(rows.map(({ id, times }) => [id, times]));
    const [wanted, found] = [timesOf(there ?? []), timesOf(here ?? [])];
    const lost = [...wanted].filter(([id, times]) => (found.get(id) ?? 0) < times).length;
    const doubled = [...found].filter(([id, times]) => (wanted.get(id) ?? 0) < times).length;
    if (lost > 0) wrong.push(`${lost} rows of ${database}.${table} lost`);
    if (doubled > 0) wrong.push(`${doubled} rows of ${database}.${table} too often`);
  }
  return wrong;
}
