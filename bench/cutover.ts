/**
 * `npm run bench:cutover`: the write pause under load, as the load generator sees it; ours beside the floor, interleaved, on the same two
 * servers, where everything is put back behind each.
 *
 *   --rounds N      rounds of each (10)
 *   --databases N   only this many databases, with --sequences N (50)
 *   --only NAME     only one of by-hand, pgbouncer, sql
 *   --rate N        transactions per second (500)
 */
import { cpus, loadavg, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import CliTable from 'cli-table3';
import { cutOverByHand, prepareByHand } from './cutover/by-hand';
import { LoadGenerator, type LoadFigures } from './cutover/load-generator';
import { putBack } from './cutover/put-back';
import { type Mover, PreparedPair, type Scenario } from './cutover/prepared-pair';

const SCENARIOS: readonly Scenario[] = [
  { databases: 1, sequences: 50 },
  { databases: 10, sequences: 50 },
  { databases: 50, sequences: 50 },
  { databases: 1, sequences: 10_000 },
];
const MOVERS: Readonly<Record<Mover, string>> = {
  'by-hand': 'floor: a script over PgBouncer, no checks, no way back',
  pgbouncer: 'Keyshift, fence pgbouncer',
  sql: 'Keyshift, fence sql',
};
const CLIENTS = 16;
/** Traffic before and after the pause that counts. */
const AROUND_MS = 1_500;

interface Round extends LoadFigures {
  readonly timeline: readonly { readonly step: string; readonly ms: number }[];
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const median = (values: readonly number[]): number => sorted(values)[Math.floor(values.length / 2)] ?? NaN;
const worst = (values: readonly number[]): number => sorted(values).at(-1) ?? NaN;
const titleOf = ({ databases, sequences }: Scenario): string => `${databases} databases, ${sequences} sequences`;

/** What is to be taken down when we are interrupted. */
let running: { pair?: PreparedPair; load?: LoadGenerator } = {};

async function round(pair: PreparedPair, scenario: Scenario, mover: Mover, rate: number): Promise<Round> {
  const move = await moverOf(pair, mover);
  try {
    const load = await LoadGenerator.start({
      ...(await pair.clients(mover)),
      databases: pair.databases,
      connections: Math.max(CLIENTS, scenario.databases),
      rate,
    });
    running = { pair, load };
    await move.prepare();
    await load.mark();
    await sleep(AROUND_MS);
    const timeline = await move.cutOver();
    await sleep(AROUND_MS);
    return { ...(await load.stop()), timeline };
  } finally {
    running.load?.kill();
    running = { pair };
    await putBack(pair, move.lowerFences);
  }
}

interface Move {
  prepare(): Promise<void>;
  cutOver(): Promise<Round['timeline']>;
  /** Takes down what the cutover leaves up. */
  readonly lowerFences: () => Promise<void>;
}

async function moverOf(pair: PreparedPair, mover: Mover): Promise<Move> {
  if (mover === 'by-hand') {
    const [pairs, pooler] = [await pair.byHand(), await pair.poolerByHand()];
    return {
      prepare: () => prepareByHand(pairs),
      cutOver: () => cutOverByHand(pairs, [pooler]),
      lowerFences: () => Promise.resolve(),
    };
  }
  const { lab } = pair;
  const input = pair.inputOf(mover);
  const { fence, others, lines } = await lab.run('readGoNoGo', input);
  const red = lines.filter((line) => line.red).map(({ text }) => text);
  if (red.length > 0) throw new Error(`the board is red: ${red.join('; ')}`);
  const fenced = { ...input, fence, ...(others ? { others } : {}) };
  return {
    prepare: () => lab.run('preparePause', input),
    lowerFences: () => lab.run('lowerFence', fenced),
    async cutOver() {
      const result = await lab.run('cutOver', fenced);
      if (!result.switched) throw new Error(`the pause was given up: ${result.reason}`);
      return result.timeline;
    },
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '10' },
      databases: { type: 'string' },
      sequences: { type: 'string', default: '50' },
      only: { type: 'string' },
      rate: { type: 'string', default: '500' },
    },
  });
  const [rounds, rate] = [Number(values.rounds), Number(values.rate)];
  const scenarios =
    values.databases === undefined
      ? SCENARIOS
      : [{ databases: Number(values.databases), sequences: Number(values.sequences) }];
  const movers = (Object.keys(MOVERS) as Mover[]).filter((mover) => !values.only || mover === values.only);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      running.load?.kill();
      void Promise.allSettled([running.pair?.close()]).then(() => process.exit(1));
    });
  }
  const results = new Map<string, Round[]>();
  for (const scenario of scenarios) {
    const pair = await PreparedPair.make(scenario, 'pgbouncer');
    running = { pair };
    try {
      for (let number = 1; number <= rounds; number += 1) {
        for (const mover of movers) {
          const found = await round(pair, scenario, mover, rate);
          const key = `${titleOf(scenario)} ${mover}`;
          results.set(key, [...(results.get(key) ?? []), found]);
          const steps = found.timeline.map(({ step, ms }) => `${step} ${ms}`).join(', ');
          say(
            `${titleOf(scenario)}, ${mover}, ${number} of ${rounds}: writes stopped for ${found.longestGapMs.toFixed(0)} ms, worst latency ${found.worstLatencyMs.toFixed(0)} ms, ${found.errors} errors, ${found.acknowledged} transactions (${steps})`,
          );
        }
      }
    } finally {
      await pair.close();
      running = {};
    }
  }
  print(scenarios, movers, results, rounds, rate);
}

function print(
  scenarios: readonly Scenario[],
  movers: readonly Mover[],
  results: ReadonlyMap<string, readonly Round[]>,
  rounds: number,
  rate: number,
): void {
  const head = ['', '', 'median', 'worst', 'worst latency', 'errors of clients', 'median / floor'];
  const table = new CliTable({ head, style: { head: [], border: [] } });
  for (const scenario of scenarios) {
    const pauses = (mover: Mover) =>
      (results.get(`${titleOf(scenario)} ${mover}`) ?? []).map(({ longestGapMs }) => longestGapMs);
    const floor = median(pauses('by-hand'));
    for (const mover of movers) {
      const found = results.get(`${titleOf(scenario)} ${mover}`) ?? [];
      const middle = median(pauses(mover));
      table.push([
        titleOf(scenario),
        MOVERS[mover],
        `${middle.toFixed(0)} ms`,
        `${worst(pauses(mover)).toFixed(0)} ms`,
        `${worst(found.map(({ worstLatencyMs }) => worstLatencyMs)).toFixed(0)} ms`,
        found.reduce((sum, { errors }) => sum + errors, 0),
        Number.isNaN(floor) ? '' : (middle / floor).toFixed(2),
      ]);
    }
  }
  console.log(
    `${cpus().length} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, load ${loadavg()
      .map((one) => one.toFixed(1))
      .join(
        ' ',
      )}; PostgreSQL 16, both servers, PgBouncer and the clients on this machine; ${rounds} rounds, ${rate} transactions/s by at least ${CLIENTS} clients`,
  );
  console.log(table.toString());
  for (const line of bars(scenarios, results)) console.log(line);
}

/** What was promised, and whether it is kept. */
function bars(scenarios: readonly Scenario[], results: ReadonlyMap<string, readonly Round[]>): string[] {
  return scenarios.flatMap((scenario) => {
    const of = (mover: Mover) => results.get(`${titleOf(scenario)} ${mover}`) ?? [];
    const pauses = (mover: Mover) => of(mover).map(({ longestGapMs }) => longestGapMs);
    const lines: string[] = [];
    const judge = (what: string, kept: boolean) =>
      lines.push(`${kept ? 'kept  ' : 'MISSED'}  ${titleOf(scenario)}: ${what}`);
    if (of('pgbouncer').length > 0) {
      const [ours, most] = [median(pauses('pgbouncer')), worst(pauses('pgbouncer'))];
      const errors = of('pgbouncer').reduce((sum, one) => sum + one.errors, 0);
      if (of('by-hand').length > 0) {
        const bar = 2 * median(pauses('by-hand')) + 50;
        judge(`pgbouncer median ${ours.toFixed(0)} ms, bar 2 x floor + 50 = ${bar.toFixed(0)} ms`, ours <= bar);
      }
      judge(`pgbouncer worst ${most.toFixed(0)} ms, bar 500 ms`, most < 500);
      judge(`pgbouncer ${errors} errors of clients, bar 0`, errors === 0);
    }
    if (of('sql').length > 0) {
      const ours = median(pauses('sql'));
      judge(`sql median ${ours.toFixed(0)} ms, bar 500 ms`, ours < 500);
    }
    return lines;
  });
}

void main();
