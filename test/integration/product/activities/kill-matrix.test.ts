import { type Cell, runCell } from '../../../../bench/kill-matrix/cell';
import { type FaultName, STEPS } from '../../../../bench/kill-matrix/steps';
import { WorkerCrew } from '../../../../bench/kill-matrix/worker-crew';
import { WORKER_ENDED } from '../../../../activities/cutover/pause-mark';
import { World } from '../../../../bench/kill-matrix/world';

/** Cells of the matrix that `npm run kill-matrix` runs as a whole (docs/reliability.md). */
let world: World;
let crew: WorkerCrew;

beforeAll(async () => {
  world = await World.make('there', 'sql');
  crew = new WorkerCrew(world.worker);
});
afterAll(async () => {
  await crew?.dismiss();
  await world?.close();
});

async function cell(name: string, fault: FaultName): Promise<Cell> {
  const step = STEPS.sql.find((one) => one.name === name);
  if (!step) throw new Error(`there is no step ${name}`);
  return runCell(world, crew, step, fault, fault.replaceAll(' ', '-'));
}

it('a target that says nothing any more costs the budget and no more: writers are back before it is', async () => {
  await expect(cell('snapshots', 'target cut off')).resolves.toMatchObject({ ended: 'given up', broken: [] });
});

it('an answer of the switch that gets lost changes nothing: traffic is on the target, nothing goes back', async () => {
  await expect(cell('switch, answer under way', 'activity fails')).resolves.toMatchObject({
    ended: 'went forward',
    broken: [],
  });
});

describe('a worker that is killed alone', () => {
  it('costs two seconds and the pause, before the switch', async () => {
    await expect(cell('drain', 'worker killed')).resolves.toMatchObject({
      ended: 'given up',
      reason: WORKER_ENDED,
      broken: [],
    });
  });

  it('costs two seconds and nothing else, after it', async () => {
    await expect(cell('switch, answer under way', 'worker killed')).resolves.toMatchObject({
      ended: 'went forward',
      broken: [],
    });
  });
});

it('a host that is lost costs the heartbeat timeout: another worker takes the pause over', async () => {
  const lost = await cell('drain', 'host lost');
  expect(lost).toMatchObject({ ended: 'went forward', attempts: 2, broken: [] });
  expect(lost.stoppedMs).toBeGreaterThan(6_000);
});
