/**
 * `npm run bench:verify`: what the comparison costs, as ratios in one run, interleaved, medians.
 *
 *   --rows N     rows of the narrow table (5,000,000); the wide one has a fiftieth
 *   --rounds N   of the floor and of ours (5)
 *   --no-peers   leave out pgdatadiff and data-diff
 */
import { cpus, loadavg, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { MockActivityEnvironment } from '@temporalio/testing';
import CliTable from 'cli-table3';
import { pacedBy } from '../activities/compare/pace';
import { planSchema } from '../plan/plan';
import { CompareLab, openPlain, type Place } from '../test/support/compare-lab';
import { BareServer } from '../test/support/postgres';
import { dataDiff, installPeers, pgdatadiff } from './verify/peers';
import { type BenchDatabase, DATABASES, fillNarrow, fillWide, TABLE } from './verify/tables';
import { writingWhile } from './verify/writer';

const MAJOR = 16;
const { workers: WORKERS, dutyPercent: DUTY_PERCENT } = planSchema.shape.verify.parse({});
const RATE = 500;
const WRITING_MS = 10_000;
const say = (text: string) => process.stderr.write(`${text}\n`);
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}

/**
 * One sum of hashes over each side, both at once: nobody can compare whole contents in the server for less. `parallel`:
 * processes beside the first; a machine that others use, too, gives more time to whoever has more processes.
 */
async function floor(sides: readonly Place[], table: string, parallel?: number): Promise<number> {
  const clients = await Promise.all(sides.map(openPlain));
  if (parallel !== undefined) {
    for (const client of clients) await client.query(`SET max_parallel_workers_per_gather = ${parallel}`);
  }
  const sum = `SELECT sum(hashtextextended(t::text, 0)) FROM ${table} AS t`;
  const seconds = await timed(() => Promise.all(clients.map((client) => client.query(sum))));
  await Promise.all(clients.map((client) => client.end()));
  return seconds;
}

interface Row {
  readonly what: string;
  readonly seconds: Record<BenchDatabase, number | string>;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '5000000' },
      rounds: { type: 'string', default: '5' },
      peers: { type: 'boolean', default: true },
    },
    allowNegative: true,
  });
  const [rows, rounds] = [Number(values.rows), Number(values.rounds)];
  let source: BareServer | undefined;
  let target: BareServer | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void Promise.allSettled([source?.remove(), target?.remove()]).then(() => process.exit(1));
    });
  }
  try {
    say(`filling ${rows} and ${Math.ceil(rows / 50)} rows, PostgreSQL ${MAJOR}`);
    source = await BareServer.create(MAJOR);
    for (const database of DATABASES) {
      const admin = await openPlain({ server: source, database: 'postgres' });
      await admin.query(`CREATE DATABASE ${database}`);
      await admin.end();
      const client = await openPlain({ server: source, database });
      await (database === 'narrow' ? fillNarrow : fillWide)(client, rows);
      await client.end();
    }
    target = await source.twin();
    await measure(source, target, rows, rounds, values.peers);
  } finally {
    await Promise.allSettled([source?.remove(), target?.remove()]);
  }
}

async function measure(source: BareServer, target: BareServer, rows: number, rounds: number, peers: boolean) {
  const table: Row[] = [];
  const times = new Map<string, number[]>();
  const note = (what: string, seconds: number) => {
    times.set(what, [...(times.get(what) ?? []), seconds]);
    say(`${what}: ${seconds.toFixed(2)} s`);
  };
  for (const database of DATABASES) {
    const places = [
      { server: source, database },
      { server: target, database },
    ] as const;
    const lab = await CompareLab.open(places[0], places[1], { workers: WORKERS });
    for (let round = 0; round < rounds; round++) {
      note(`${database} floor`, await floor(places, TABLE[database]));
      note(`${database} floor as parallel as ours`, await floor(places, TABLE[database], WORKERS - 1));
      note(`${database} ours`, await timed(async () => expectSame(await lab.differences())));
    }
    await changeOneRow(places[1], database);
    note(`${database} ours, one row differs`, await timed(async () => expectOne(await lab.differences())));
    await changeOneRow(places[1], database);
    await lab.close();
  }
  const of = (what: string) =>
    Object.fromEntries(
      DATABASES.map((database) => [database, median(times.get(`${database} ${what}`) ?? [])]),
    ) as Row['seconds'];
  table.push({ what: 'floor: one sum of hashes per side', seconds: of('floor') });
  table.push({ what: `the same, ${WORKERS} processes per side as ours`, seconds: of('floor as parallel as ours') });
  table.push({ what: 'Keyshift, equal', seconds: of('ours') });
  table.push({ what: 'Keyshift, one row differs, found and named', seconds: of('ours, one row differs') });
  const peersRows = peers ? await measurePeers(source, target) : [];
  const loss = await measureLoss(source, target, rows);
  table.push(...peersRows);
  print(table, loss, rows);
}

async function measurePeers(source: BareServer, target: BareServer): Promise<Row[]> {
  const missing = await installPeers();
  const ports = [source.server.port, target.server.port] as const;
  const result: Row[] = [];
  for (const [what, tool] of [
    ['data-diff 0.11.2', dataDiff],
    ['pgdatadiff 0.2.1', pgdatadiff],
  ] as const) {
    const seconds: Record<string, number | string> = {};
    for (const database of DATABASES) {
      try {
        if (missing) throw new Error(missing);
        seconds[database] = await timed(() => tool(...ports, database));
        say(`${database} ${what}: ${seconds[database].toFixed(2)} s`);
      } catch (error) {
        say(`${database} ${what}: ${String(error).slice(-600)}`);
        seconds[database] = 'could not be run';
      }
    }
    result.push({ what, seconds });
  }
  return result;
}

/** Commits per second of a writer of 500 a second, alone and beside the comparison at its default throttle. */
async function measureLoss(
  source: BareServer,
  target: BareServer,
  rows: number,
): Promise<{ alone: number; beside: number }> {
  const [there, here] = [source, target].map((server) => ({ server, database: 'narrow' })) as [Place, Place];
  const looks = await openPlain(there);
  const [alone, beside] = [[] as number[], [] as number[]];
  for (let round = 0; round < 3; round++) {
    alone.push(await writingWhile(there, rows, RATE, () => sleep(WRITING_MS)));
    const lab = await CompareLab.open(there, here, { workers: WORKERS });
    const until = Date.now() + WRITING_MS;
    const throttle = async () => {
      // The paces of an activity sleep in its context.
      await new MockActivityEnvironment().run(async () => {
        const pace = pacedBy({
          dutyPercent: DUTY_PERCENT,
          session: looks,
          pressure: async () => undefined,
          paused: async () => undefined,
        });
        while (Date.now() < until)
          await lab.run({
            workers: WORKERS,
            pace,
            targetPace: (work) => work(),
            decide: async () => ({ different: new Map() }),
          });
      });
    };
    beside.push(await writingWhile(there, rows, RATE, throttle));
    await lab.close();
    say(`writer: ${alone.at(-1)?.toFixed(0)} alone, ${beside.at(-1)?.toFixed(0)} beside`);
  }
  await looks.end();
  return { alone: median(alone), beside: median(beside) };
}

async function changeOneRow(place: Place, database: BenchDatabase): Promise<void> {
  const client = await openPlain(place);
  // Twice the same statement takes it back.
  await client.query(
    database === 'narrow'
      ? `UPDATE accounts SET abalance = 1 - abalance WHERE aid = (SELECT max(aid) / 3 FROM accounts)`
      : `UPDATE documents SET author = reverse(author) WHERE id = (SELECT max(id) / 3 FROM documents)`,
  );
  await client.end();
}

function expectSame(differences: readonly unknown[]): void {
  if (differences.length > 0) throw new Error(`equal tables were found to differ: ${JSON.stringify(differences)}`);
}
function expectOne(differences: readonly { readonly different: number }[]): void {
  if (differences.length !== 1 || differences[0]?.different !== 1)
    throw new Error(`not found: ${JSON.stringify(differences)}`);
}

function print(rows: readonly Row[], loss: { alone: number; beside: number }, narrow: number): void {
  const ours = rows.find(({ what }) => what === 'Keyshift, equal')?.seconds;
  const text = (value: number | string, database: BenchDatabase) => {
    if (typeof value === 'string') return value;
    const own = Number(ours?.[database]);
    return `${value.toFixed(2)} s (${(value / own).toFixed(2)} x ours)`;
  };
  const table = new CliTable({ head: ['', ...DATABASES], style: { head: [], border: [] } });
  for (const { what, seconds } of rows) table.push([what, ...DATABASES.map((one) => text(seconds[one], one))]);
  const against = (row: Row | undefined) =>
    DATABASES.map((one) => `${(Number(ours?.[one]) / Number(row?.seconds[one])).toFixed(2)} (${one})`).join(', ');
  console.log(
    `${cpus().length} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, load ${loadavg()
      .map((one) => one.toFixed(1))
      .join(' ')}; PostgreSQL ${MAJOR}, both servers on this machine, warm; ${narrow} rows`,
  );
  console.log(table.toString());
  console.log(`ours / floor: ${against(rows[0])}; as parallel as ours: ${against(rows[1])}; bar 1.3`);
  console.log(
    `writer at ${RATE}/s: ${loss.alone.toFixed(0)}/s alone, ${loss.beside.toFixed(0)}/s beside the comparison at its default throttle: ${(100 * (1 - loss.beside / loss.alone)).toFixed(1)} % less; bar 10 %`,
  );
}

void main();
