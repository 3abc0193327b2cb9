/**
 * `npm run bench:random`: databases that are made from a grammar over what PostgreSQL can hold, moved by the product's activities while several
 * sessions write to them, and compared by means of its own: rows by their binary form, sequences, large objects, and every row of every catalog.
 * Exits with 1 if a seed is wrong. A run of 200 seeds writes its result into docs/reliability.md.
 *
 *   --rounds N   how many (200)
 *   --seed N     of the first round (1); the others follow by one
 *   --jobs N     so many at a time (1)
 *   --sql        prints what the seeds make, and does nothing else
 */
import { cpus, loadavg, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { playSeed, type SeedResult } from '../test/support/random-schema/round';
import { summary } from '../test/support/random-schema/summary';
import { type World, worldOf } from '../test/support/random-schema/world';
import { writeBetweenMarkers } from './between-markers';

const PAGE = 'docs/reliability.md';
const FULL_RUN = 200;

const say = (text: string): void => void process.stderr.write(`${text}\n`);

function printSql({ before, databases, after }: World): void {
  const scripts: [string, readonly string[]][] = [
    ['postgres', before],
    ...databases.map(({ database, statements }): [string, readonly string[]] => [database, statements]),
    ['postgres', after],
  ];
  for (const [database, statements] of scripts) {
    console.log(`\\connect "${database.replaceAll('"', '""')}"`);
    for (const statement of statements) console.log(`${statement};`);
  }
}

function describe({ world, verdict, detail, written, ms, pauseMs, steps }: SeedResult): void {
  const slowest = [...steps].sort(([, a], [, b]) => b - a).slice(0, 4);
  const where = `PostgreSQL ${world.major}, ${world.databases.length} databases${world.wayBack ? ', way back' : ''}`;
  say(
    `${world.seed}: ${verdict} (${(ms / 1000).toFixed(0)} s; ${where}; ${written} transactions, pause ${pauseMs ?? 'none'} ms; ${slowest
      .map(([name, took]) => `${name} ${(took / 1000).toFixed(1)} s`)
      .join(', ')})`,
  );
  if (verdict === 'right') return;
  for (const line of detail) say(`  ${line}`);
  if (verdict === 'wrong') say(`  repeat it: npm run bench:random -- --rounds 1 --seed ${world.seed}; its SQL: --sql`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '200' },
      seed: { type: 'string', default: '1' },
      jobs: { type: 'string', default: '1' },
      sql: { type: 'boolean', default: false },
    },
  });
  const [rounds, first] = [Number(values.rounds), Number(values.seed)];
  const worlds = Array.from({ length: rounds }, (_, place) => worldOf(first + place));
  if (values.sql) return worlds.forEach(printSql);
  const results: SeedResult[] = [];
  const startedAt = Date.now();
  const waiting = [...worlds];
  const play = async (): Promise<void> => {
    for (let world = waiting.shift(); world; world = waiting.shift()) {
      const played = world;
      const result = await playSeed(played).catch((error: Error): SeedResult => broken(played, error));
      results.push(result);
      describe(result);
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, play));
  results.sort((a, b) => a.world.seed - b.world.seed);
  const machine = `${cpus().length} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, load ${loadavg()[0]?.toFixed(1)}`;
  const minutes = Math.round((Date.now() - startedAt) / 60_000);
  const headline = `${new Date().toISOString().slice(0, 10)}, \`npm run bench:random\`, ${rounds} seeds from ${first}, ${values.jobs} at a time, ${minutes} minutes, ${machine}`;
  const text = `${headline}\n\n${summary(results)}`;
  console.log(text);
  if (rounds >= FULL_RUN) writeBetweenMarkers(PAGE, 'bench:random', text);
  process.exitCode = results.some(({ verdict }) => verdict === 'wrong') ? 1 : 0;
}

/** The round itself came to no end: that is no verdict on the product, and none for it either. */
const broken = (world: World, error: Error): SeedResult => ({
  world,
  verdict: 'wrong',
  codes: [],
  detail: [`the round broke: ${error.stack ?? error.message}`],
  written: 0,
  pauseMs: undefined,
  steps: new Map(),
  ms: 0,
});

void main();
