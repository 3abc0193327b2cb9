/**
 * `npm run kill-matrix`: a fault at each step of the pause, in both directions, by both ways of holding writers, on real servers under load; what is
 * promised is looked at in every cell. Writes a table of docs/reliability.md when every cell of it was run. Exits with 1 if one is red.
 *
 *   --switches         only the tables of what becomes of the switch's own request, for every kind of switch
 *   --switch NAME      of those, only this kind
 *   --direction NAME   only `there` or `back`
 *   --fence NAME       only `sql` or `pgbouncer`
 *   --step NAME        only this step
 *   --fault NAME       only faults whose name begins with it
 */
import { cpus, loadavg, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { type Cell, runCell } from './kill-matrix/cell';
import { BUDGET_MS } from './kill-matrix/fences';
import { FAULTS, type FenceName, FENCES, STEPS } from './kill-matrix/steps';
import { writeBetweenMarkers } from './between-markers';
import { hasFault, runSwitchCell, SWITCH_FAULTS, type SwitchCell } from './kill-matrix/switch-cell';
import { SWITCH_KINDS } from './kill-matrix/switch-fronts';
import { cellText, isGreen, markdownTable, switchTable } from './kill-matrix/table';
import { WorkerCrew } from './kill-matrix/worker-crew';
import { type Direction, World } from './kill-matrix/world';

const PAGE = 'docs/reliability.md';
const DIRECTIONS: readonly Direction[] = ['there', 'back'];
const TITLES: Readonly<Record<Direction, string>> = { there: 'The cutover', back: 'The way back' };

/** One table. */
interface Matrix {
  readonly direction: Direction;
  readonly fence: FenceName;
}

const MATRICES: readonly Matrix[] = FENCES.flatMap((fence) => DIRECTIONS.map((direction) => ({ direction, fence })));
const titleOf = ({ direction, fence }: Matrix): string => `${TITLES[direction]}, fence ${fence}`;

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** What is to be taken down when we are interrupted. */
let running: { world?: World; crew?: WorkerCrew } = {};

/** Steps and faults that the command line asks for. */
interface Wanted {
  readonly step: string;
  readonly fault: string;
}

async function run(matrix: Matrix, wanted: Wanted): Promise<Cell[]> {
  const { direction, fence } = matrix;
  const steps = STEPS[fence].filter(({ name }) => !wanted.step || name === wanted.step);
  const faults = FAULTS[fence].filter((name) => name.startsWith(wanted.fault));
  if (steps.length === 0 || faults.length === 0) return [];
  const world = await World.make(direction, fence);
  running = { world };
  const crew = new WorkerCrew(world.worker);
  running = { world, crew };
  const cells: Cell[] = [];
  try {
    for (const step of steps) {
      for (const fault of faults) {
        const cell = await runCell(world, crew, step, fault, `${direction}-${cells.length}`);
        cells.push(cell);
        say(`${titleOf(matrix)}, ${step.name}, ${fault}: ${cellText(cell)}${cell.reason ? ` (${cell.reason})` : ''}`);
      }
    }
    return cells;
  } finally {
    await crew.dismiss();
    await world.close();
    running = {};
  }
}

/** Faults of the switch's own request, for kinds of switches in one direction. */
async function runSwitches(direction: Direction, wanted: Wanted & { readonly kind: string }): Promise<SwitchCell[]> {
  const cells: SwitchCell[] = [];
  for (const kind of SWITCH_KINDS.filter((name) => !wanted.kind || name === wanted.kind)) {
    const faults = SWITCH_FAULTS.filter((name) => name.startsWith(wanted.fault) && hasFault(kind, name));
    if (faults.length === 0) continue;
    const world = await World.make(direction, kind === 'pgbouncer' ? 'pgbouncer' : 'sql', kind);
    running = { world };
    const crew = new WorkerCrew(world.worker);
    running = { world, crew };
    try {
      for (const fault of faults) {
        const cell = await runSwitchCell(world, crew, kind, fault, `${direction}-${kind}-${cells.length}`);
        cells.push(cell);
        const text = cellText({ ...cell, awayMs: 0 });
        say(`${TITLES[direction]}, ${kind}, ${fault}: ${text}${cell.reason ? ` (${cell.reason})` : ''}`);
      }
    } finally {
      await crew.dismiss();
      await world.close();
      running = {};
    }
  }
  return cells;
}

/** When, where and how long, and how many are red. */
function headline(cells: readonly Pick<Cell, 'broken'>[], startedAt: number): string {
  const minutes = Math.round((Date.now() - startedAt) / 60_000);
  const machine = `${cpus().length} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, load ${loadavg()[0]?.toFixed(1)}`;
  const reds = cells.filter((cell) => !isGreen(cell)).length;
  return `${new Date().toISOString().slice(0, 10)}, \`npm run kill-matrix\`, ${minutes} minutes, ${machine}; budget of the pause ${BUDGET_MS / 1000} s; ${cells.length} cells, ${reds} red`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      direction: { type: 'string' },
      fence: { type: 'string' },
      step: { type: 'string', default: '' },
      fault: { type: 'string', default: '' },
      switches: { type: 'boolean', default: false },
      switch: { type: 'string', default: '' },
    },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void Promise.allSettled([running.crew?.kill(), running.world?.close()]).then(() => process.exit(1));
    });
  }
  const wanted = MATRICES.filter(
    ({ direction, fence }) => direction === (values.direction ?? direction) && fence === (values.fence ?? fence),
  );
  const all: Pick<Cell, 'broken'>[] = [];
  for (const matrix of values.switches || values.switch ? [] : wanted) {
    const startedAt = Date.now();
    const cells = await run(matrix, values);
    all.push(...cells);
    if (cells.length === 0) continue;
    const { direction, fence } = matrix;
    const text = `${headline(cells, startedAt)}\n\n${markdownTable(STEPS[fence], FAULTS[fence], cells)}`;
    console.log(`${titleOf(matrix)}: ${text}`);
    if (values.step === '' && values.fault === '') writeBetweenMarkers(PAGE, `kill-matrix ${direction} ${fence}`, text);
  }
  const isAboutSteps = values.step !== '' || values.fence !== undefined;
  for (const direction of DIRECTIONS.filter((one) => one === (values.direction ?? one) && !isAboutSteps)) {
    const startedAt = Date.now();
    const cells = await runSwitches(direction, { ...values, kind: values.switch });
    all.push(...cells);
    if (cells.length === 0) continue;
    const text = `${headline(cells, startedAt)}\n\n${switchTable(cells)}`;
    console.log(`${TITLES[direction]}, the request of the switch: ${text}`);
    if (values.switch === '' && values.fault === '')
      writeBetweenMarkers(PAGE, `kill-matrix ${direction} switches`, text);
  }
  if (all.length === 0) throw new Error('no cell has this direction, fence, step and fault');
  process.exitCode = all.every(isGreen) ? 0 : 1;
}

void main();
