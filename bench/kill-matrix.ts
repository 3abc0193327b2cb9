/**
 * `npm run kill-matrix`: a fault at each step of the pause, in both directions, on real servers under load; what is promised is looked at in every
 * cell. Writes a table of docs/reliability.md when every cell of a direction was run. Exits with 1 if one is red.
 *
 *   --direction NAME   only `there` or `back`
 *   --step NAME        only this step
 *   --fault NAME       only faults whose name begins with it
 */
import { cpus, loadavg, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { type Cell, runCell } from './kill-matrix/cell';
import { FAULTS, STEPS } from './kill-matrix/steps';
import { cellText, isGreen, markdownTable, writeBetweenMarkers } from './kill-matrix/table';
import { WorkerCrew } from './kill-matrix/worker-crew';
import { BUDGET_MS, type Direction, World } from './kill-matrix/world';

const PAGE = 'docs/reliability.md';
const DIRECTIONS: readonly Direction[] = ['there', 'back'];
const TITLES: Readonly<Record<Direction, string>> = { there: 'The cutover', back: 'The way back' };

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** What is to be taken down when we are interrupted. */
let running: { world?: World; crew?: WorkerCrew } = {};

async function matrix(direction: Direction, wanted: { step: string; fault: string }): Promise<Cell[]> {
  const world = await World.make(direction);
  running = { world };
  const crew = new WorkerCrew(world.worker);
  running = { world, crew };
  const cells: Cell[] = [];
  try {
    for (const step of STEPS.filter(({ name }) => !wanted.step || name === wanted.step)) {
      for (const fault of FAULTS.filter((name) => name.startsWith(wanted.fault))) {
        const cell = await runCell(world, crew, step, fault, `${direction}-${cells.length}`);
        cells.push(cell);
        say(`${TITLES[direction]}, ${step.name}, ${fault}: ${cellText(cell)}${cell.reason ? ` (${cell.reason})` : ''}`);
      }
    }
    return cells;
  } finally {
    await crew.dismiss();
    await world.close();
    running = {};
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      direction: { type: 'string' },
      step: { type: 'string', default: '' },
      fault: { type: 'string', default: '' },
    },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void Promise.allSettled([running.crew?.dismiss(), running.world?.close()]).then(() => process.exit(1));
    });
  }
  let red = 0;
  for (const direction of DIRECTIONS.filter((one) => !values.direction || one === values.direction)) {
    const startedAt = Date.now();
    const cells = await matrix(direction, values);
    const reds = cells.filter((cell) => !isGreen(cell)).length;
    red += reds;
    const minutes = Math.round((Date.now() - startedAt) / 60_000);
    const machine = `${cpus().length} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, load ${loadavg()[0]?.toFixed(1)}`;
    const where = `${new Date().toISOString().slice(0, 10)}, \`npm run kill-matrix\`, ${minutes} minutes, ${machine}; budget of the pause ${BUDGET_MS / 1000} s; ${cells.length} cells, ${reds} red`;
    const text = `${where}\n\n${markdownTable(STEPS, cells)}`;
    console.log(`${TITLES[direction]}: ${text}`);
    if (values.step === '' && values.fault === '') writeBetweenMarkers(PAGE, direction, text);
  }
  process.exitCode = red > 0 ? 1 : 0;
}

void main();
