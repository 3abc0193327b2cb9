/**
 * `npm run bench:position`: histories of a source and its clone on real servers (restarts, crashes, failovers, before and after slot,
 * snapshot and restore). In each the product says where the clone ends; then the clone subscribes from there, and its rows are counted.
 * Exits with 1 if a position lost or doubled a row. A run of 200 rounds writes its result into docs/reliability.md.
 *
 *   --rounds N   how many (200)
 *   --seed N     of the first round (1); the others follow by one
 */
import { cpus, loadavg, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { describeHistory, historyOf } from '../test/support/position/history';
import { Sources } from '../test/support/position/sources';
import type { RoundResult } from '../test/support/position/round';
import { summary } from '../test/support/position/summary';
import { writeBetweenMarkers } from './between-markers';

const PAGE = 'docs/reliability.md';
const FULL_RUN = 200;

const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rounds: { type: 'string', default: '200' }, seed: { type: 'string', default: '1' } },
  });
  const [rounds, first] = [Number(values.rounds), Number(values.seed)];
  const sources = new Sources();
  const results: RoundResult[] = [];
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void sources.remove().finally(() => process.exit(1)));
  }
  const startedAt = Date.now();
  try {
    for (let seed = first; seed < first + rounds; seed++) {
      const result = await sources.play(historyOf(seed));
      results.push(result);
      say(`${seed}: ${result.verdict}, ${result.detail} (${result.ms} ms; ${describeHistory(result.history)})`);
      if (result.verdict === 'wrong') {
        say(`  repeat it: npm run bench:position -- --rounds 1 --seed ${seed}`);
      }
      if (result.verdict !== 'right') {
        for (const { kind, found } of result.proof.evidence) say(`  ${kind}: ${found}`);
        for (const { kind, why } of result.proof.silent) say(`  ${kind}: silent, ${why}`);
      }
    }
  } finally {
    await sources.remove();
  }
  const machine = `${cpus().length} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, load ${loadavg()[0]?.toFixed(1)}`;
  const minutes = Math.round((Date.now() - startedAt) / 60_000);
  const headline = `${new Date().toISOString().slice(0, 10)}, \`npm run bench:position\`, ${rounds} rounds from seed ${first}, ${minutes} minutes, ${machine}`;
  const text = `${headline}\n\n${summary(results)}`;
  console.log(text);
  if (rounds >= FULL_RUN) writeBetweenMarkers(PAGE, 'bench:position', text);
  process.exitCode = results.some(({ verdict }) => verdict === 'wrong') ? 1 : 0;
}

void main();
