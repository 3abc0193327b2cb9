import { SAMPLE } from '../../local/app/names';
import { runDemo, type DemoHooks } from '../../local/demo/demo';
import { NIGHTMARE_VARIABLE } from '../../local/demo/nightmare';
import type { Progress } from '../../local/demo/progress';
import { WorkerKeeper } from '../../local/demo/worker-keeper';
import type { World } from '../../local/world/world';
import { holdCatchUp } from './support/hold-catch-up';
import { asMaster, control, eventually, inWorld } from './support/worlds';

/** Whole migrations of a database that is written to without pause, each with disasters at the worst moments. */

const ROWS = 3_000;
const RATE = 60;
/** Seed of the world of the second test, in which AWS does whatever it may: late reads, groups left pending, states that flicker; with a replica. */
const NIGHTMARE = 1;

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
function during(step: string, disaster: () => Promise<void>): DemoHooks {
  let happened = false;
  return {
    async looked(progress) {
      if (happened || !isRunning(progress, step)) return;
      happened = true;
      await disaster();
    },
    async beforeFinish() {
      // A disaster that never came would make this test prove nothing.
      expect({ step, happened }).toEqual({ step, happened: true });
    },
  };
}

/** The same during catch-up, which is held until the disaster is over. */
function duringCatchUp(world: World, disaster: () => Promise<void>): DemoHooks {
  let held: Promise<() => Promise<void>> | undefined;
  return {
    started: () => {
      held = holdCatchUp(world, 'shop', 'public.customers');
      held.catch(() => undefined);
    },
    ...during('catch-up', async () => {
      const letGo = await held;
      await disaster();
      await letGo?.();
    }),
  };
}

/** Kills the worker inside the pause, once its fence is up; not in a pause that comes after `kills`. */
function insideThePause(world: World, keeper: WorkerKeeper, kills: number): DemoHooks {
  return {
    async cutoverApproved() {
      // Its watchdog ends that pause, and the gate opens again.
      if (keeper.kills > kills) return;
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
  };
}

/** All of them, one after another at each moment. */
function together(...all: readonly DemoHooks[]): DemoHooks {
  return {
    started: () => all.forEach((hooks) => hooks.started?.()),
    looked: async (progress) => {
      for (const hooks of all) await hooks.looked?.(progress);
    },
    cutoverApproved: async (turnedOut) => {
      for (const hooks of all) await hooks.cutoverApproved?.(turnedOut);
    },
    beforeFinish: async () => {
      for (const hooks of all) await hooks.beforeFinish?.();
    },
  };
}

test('the worker is killed while the snapshot is made, during catch-up, and inside the pause, with the fence up', () =>
  migrate('worker', (world, keeper) => {
    const killWorker = () => keeper.killAndReplace();
    return together(during('snapshot', killWorker), duringCatchUp(world, killWorker), insideThePause(world, keeper, 2));
  }));

test('the Temporal server is killed and started anew during catch-up; source and target crash and recover', () =>
  migrate(
    'servers',
    (world) =>
      duringCatchUp(world, async () => {
        await world.killTemporal();
        await world.restartTemporal();
        await control(world, 'POST', `instances/${SAMPLE.instance}/restart`, { mode: 'immediate' });
        await control(world, 'POST', `instances/${SAMPLE.encryptedInstance}/restart`, { mode: 'immediate' });
      }),
    NIGHTMARE,
  ));
