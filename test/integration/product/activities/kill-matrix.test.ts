import { type Cell, runCell } from '../../../../bench/kill-matrix/cell';
import { type FaultName, STEPS } from '../../../../bench/kill-matrix/steps';
import { runSwitchCell, SWITCH_FAULTS } from '../../../../bench/kill-matrix/switch-cell';
import { WorkerCrew } from '../../../../bench/kill-matrix/worker-crew';
import { WORKER_ENDED } from '../../../../activities/cutover/pause-mark';
import { World } from '../../../../bench/kill-matrix/world';

/** Some cells of the matrix that `npm run kill-matrix` runs as a whole (docs/reliability.md). */
const KIND = 'ssm-parameter';
let world: World;
let crew: WorkerCrew;

beforeAll(async () => {
  world = await World.make('there', 'sql', KIND);
  crew = new WorkerCrew(world.worker);
});
afterAll(async () => {
  await crew?.dismiss();
  await world?.close();
});

async function cell(name: string, fault: FaultName): Promise<Cell> {
  const step = STEPS.sql.find((one) => one.name === name);
  if (!step) throw new Error(`there is no step ${name}`);
  return runCell(world, crew, step, fault, `${fault} ${name}`.replaceAll(/[ ,]+/g, '-'));
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

/** Of Temporal, for the pause: what a cell costs when nobody is left to act before. */
const HEARTBEAT_TIMEOUT_MS = 6_000;
/** The matrix holds the times, on a machine that does nothing else. */
const withoutTimes = ({ broken }: Cell): string[] => broken.filter((one) => !one.startsWith('writers waited'));

describe('a worker that is killed alone', () => {
  it('costs the pause before the switch, but no heartbeat timeout', async () => {
    const killed = await cell('drain', 'worker killed');
    expect(killed).toMatchObject({ ended: 'given up', reason: WORKER_ENDED });
    expect(withoutTimes(killed)).toEqual([]);
    expect(killed.stoppedMs).toBeLessThan(HEARTBEAT_TIMEOUT_MS);
  });

  it('costs nothing else after it', async () => {
    const killed = await cell('switch, answer under way', 'worker killed');
    expect(killed).toMatchObject({ ended: 'went forward' });
    expect(withoutTimes(killed)).toEqual([]);
    expect(killed.stoppedMs).toBeLessThan(HEARTBEAT_TIMEOUT_MS);
  });
});

it('a host that is lost costs the heartbeat timeout, and nothing is lost', async () => {
  const lost = await cell('drain', 'host lost');
  expect(lost.attempts).toBe(2);
  expect(withoutTimes(lost)).toEqual([]);
  expect(lost.stoppedMs).toBeGreaterThan(HEARTBEAT_TIMEOUT_MS);
});
it.each(SWITCH_FAULTS)('a request of the switch with the fault "%s" goes forward, and loses nothing', async (fault) => {
  await expect(runSwitchCell(world, crew, KIND, fault, fault.replaceAll(' ', '-'))).resolves.toMatchObject({
    ended: 'went forward',
    broken: [],
  });
});
