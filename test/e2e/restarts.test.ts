import { SAMPLE } from '../../local/app/names';
import { runDemo, type DemoHooks } from '../../local/demo/demo';
import { NIGHTMARE_VARIABLE } from '../../local/demo/nightmare';
import type { Progress } from '../../local/demo/progress';
import { WorkerKeeper } from '../../local/demo/worker-keeper';
import type { World } from '../../local/world/world';
import { holdCatchUp } from './support/hold-catch-up';
import { asMaster, control, eventually, inWorld } from './support/worlds';

/** Whole migrations of a database that is written to without pause, each with a disaster at the worst moment. */

const ROWS = 3_000;
const RATE = 150;
/** Seed of the world of the first test, in which AWS does whatever it may: late reads, groups left pending, states that flicker; with a replica. */
const NIGHTMARE = 1;

interface Disaster {
  (world: World, keeper: WorkerKeeper): Promise<void>;
}

async function migrate(
  name: string,
  hooksOf: (world: World, keeper: WorkerKeeper) => DemoHooks,
  nightmare?: number,
): Promise<void> {
  const env = nightmare === undefined ? {} : { [NIGHTMARE_VARIABLE]: String(nightmare) };
  const work = async (world: World, signal: AbortSignal): Promise<void> => {
    const keeper = await WorkerKeeper.start(world);
    const hooks = hooksOf(world, keeper);
    const { verdict, contents } = await runDemo({
      world,
      rows: ROWS,
      rate: RATE,
      report: () => undefined,
      signal,
      nightmare: nightmare !== undefined,
      hooks,
    });
    expect({ verdict, examples: contents.examples }).toMatchObject({
      verdict: {
        passed: true,
        writes: { missing: 0, duplicated: 0, stale: 0 },
        mismatches: 0,
        sequencesBehind: 0,
      },
      examples: [],
    });
    // A pause that is begun again takes its events again.
    expect(verdict.historyEvents).toBeLessThan(300 + (keeper.kills > 0 ? 50 : 0));
  };
  await inWorld(name, work, env);
}

const isRunning = (progress: Progress, step: string): boolean =>
  progress.steps.some(({ name, status }) => name === step && status === 'running');

/** Lets the disaster happen once, while the step runs. */
function during(step: string, disaster: Disaster, world: World, keeper: WorkerKeeper): DemoHooks {
  let happened = false;
  return {
    async looked(progress) {
      if (happened || !isRunning(progress, step)) return;
      happened = true;
      await disaster(world, keeper);
    },
    async beforeFinish() {
      // A disaster that never came would make this test prove nothing.
      expect(happened).toBe(true);
    },
  };
}

/** The same during catch-up, which is held until the disaster is over. */
function duringCatchUp(disaster: Disaster, world: World, keeper: WorkerKeeper): DemoHooks {
  let held: Promise<() => Promise<void>> | undefined;
  return {
    started: () => {
      held = holdCatchUp(world, 'shop', 'public.customers');
      held.catch(() => undefined);
    },
    ...during(
      'catch-up',
      async () => {
        const letGo = await held;
        await disaster(world, keeper);
        await letGo?.();
      },
      world,
      keeper,
    ),
  };
}

const killWorker: Disaster = (_world, keeper) => keeper.killAndReplace();

test('the worker is killed while the snapshot is made', () =>
  migrate('snapshot', (world, keeper) => during('snapshot', killWorker, world, keeper), NIGHTMARE));

test('the worker is killed during catch-up', () =>
  migrate('catch-up', (world, keeper) => duringCatchUp(killWorker, world, keeper)));

test('the worker is killed inside the pause, with the fence up', () =>
  migrate('pause', (world, keeper) => ({
    async cutoverApproved() {
      // Its watchdog ends that pause, and the gate opens again.
      if (keeper.kills > 0) return;
      const fenced = await asMaster(
        world,
        SAMPLE.instance,
        'postgres',
        (client) =>
          eventually(
            'the fence is up',
            async () => {
              const { rows } = await client.query<{ up: boolean }>(
                `SELECT NOT rolcanlogin AS up FROM pg_roles WHERE rolname = 'app'`,
              );
              return rows[0]?.up;
            },
            { everyMs: 1 },
          ),
        // The fence ends sessions that are not ours, this one too: any end but our own time-out shows that it is up.
      ).catch((error: unknown) => !String(error).includes('not within'));
      expect(fenced).toBe(true);
      await keeper.killAndReplace();
    },
  })));

test('the Temporal server is killed and started anew during catch-up', () =>
  migrate('temporal', (world, keeper) =>
    duringCatchUp(
      async () => {
        await world.killTemporal();
        await world.restartTemporal();
      },
      world,
      keeper,
    ),
  ));

test('source and target crash and recover during catch-up', () =>
  migrate('servers', (world, keeper) =>
    duringCatchUp(
      async () => {
        await control(world, 'POST', `instances/${SAMPLE.instance}/restart`, { mode: 'immediate' });
        await control(world, 'POST', `instances/${SAMPLE.encryptedInstance}/restart`, { mode: 'immediate' });
      },
      world,
      keeper,
    ),
  ));
