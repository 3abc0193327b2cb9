import type { Client } from 'pg';
import { ComparisonProgress, type SavedComparison } from '../../../../activities/compare/progress';
import { MOST_HEARTBEAT_BYTES } from '../../../../activities/heartbeat';
import { jsonBytes } from '../../../../plan/fit-report';
import { CompareLab, openPlain, type Place } from '../../../support/compare-lab';
import { BareServer } from '../../../support/postgres';

const SMALL = 1_500;
/** Of more than two megabytes each: they are read in chunks, with totals by bucket in every heartbeat. */
const LARGE = 12;
const PER_STATEMENT = 250;
/** The longest name that a table may have. */
const nameOf = (kind: string, n: number): string => `${kind}_${n}_`.padEnd(63, 'x');

let source: BareServer;
let target: BareServer;
let there: Client;
let here: Client;
let lab: CompareLab;

beforeAll(async () => {
  [source, target] = await Promise.all([BareServer.asRds(16), BareServer.asRds(16)]);
  const places: [Place, Place] = [
    { server: source, database: 'postgres' },
    { server: target, database: 'postgres' },
  ];
  [there, here] = await Promise.all([openPlain(places[0]), openPlain(places[1])]);
  const small = Array.from({ length: SMALL }, (_, n) => `CREATE TABLE ${nameOf('small', n)} AS SELECT ${n} AS id`);
  const large = Array.from(
    { length: LARGE },
    (_, n) =>
      `CREATE TABLE ${nameOf('large', n)} AS SELECT i AS id, repeat(md5(i::text), 8) AS note FROM generate_series(1, 10000) AS i`,
  );
  const fill = async (side: Client) => {
    const all = [...small, ...large];
    for (let at = 0; at < all.length; at += PER_STATEMENT)
      await side.query(all.slice(at, at + PER_STATEMENT).join(';'));
  };
  await Promise.all([fill(there), fill(here)]);
  lab = await CompareLab.open(places[0], places[1]);
}, 120_000);
afterAll(async () => {
  await lab?.close();
  await Promise.allSettled([there?.end(), here?.end()]);
  await Promise.allSettled([source?.remove(), target?.remove()]);
});

it('many tables: every heartbeat has room, and what dies goes on from it without a table left out or counted twice', async () => {
  const first = new ComparisonProgress();
  let [queries, largest] = [0, 0];
  const dies = async <T>(work: () => Promise<T>): Promise<T> => {
    queries += 1;
    largest = Math.max(largest, jsonBytes(first.details()));
    if (queries > 60) throw new Error('killed');
    return work();
  };
  await expect(lab.run({ progress: first, pace: dies })).rejects.toThrow('killed');
  const saved = JSON.parse(JSON.stringify(first.details().resume)) as SavedComparison;
  const second = new ComparisonProgress(saved);
  await lab.run({
    progress: second,
    pace: (work) => {
      largest = Math.max(largest, jsonBytes(second.details()));
      return work();
    },
  });
  expect(second.tables).toBe(SMALL + LARGE);
  expect(second.rows).toBe(SMALL + LARGE * 10_000);
  expect(second.counted).toEqual({ tables: SMALL + LARGE });
  expect(second.differences).toEqual([]);
  expect(largest).toBeGreaterThan(0);
  expect(largest).toBeLessThan(MOST_HEARTBEAT_BYTES);
});

it('many tables that differ: some are named, all are counted, and there is room for what is said of them', async () => {
  for (let at = 0; at < SMALL; at += PER_STATEMENT) {
    const some = Array.from({ length: PER_STATEMENT }, (_, n) => `UPDATE ${nameOf('small', at + n)} SET id = -1`);
    await here.query(some.join(';'));
  }
  const progress = await lab.run({ showValues: true });
  expect(progress.differentTables).toBe(SMALL);
  expect(progress.differences).toHaveLength(1_000);
  expect(jsonBytes(progress.details())).toBeLessThan(MOST_HEARTBEAT_BYTES);
});
