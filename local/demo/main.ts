/** `npm run demo`: one command moves a live database, and says whether anything was lost. */
import { join, relative } from 'node:path';
import { REPOSITORY } from '../tools/paths';
import { messageOf, toStderr, type Report } from '../tools/report';
import { startWorld, type World } from '../world/world';
import { orStopped, Stopped, stopRequests, untilStopped } from '../world/until-signal';
import { Chaos } from './chaos';
import { runDemo } from './demo';
import { NIGHTMARE_VARIABLE } from './nightmare';
import { parseOptions, type DemoOptions } from './options';
import { verdictTable } from './verdict/table';
import { WorkerKeeper } from './worker-keeper';

/** AWS takes hours for what the demo shows in a minute. */
const TIME_SCALE = 0.02;

async function main(): Promise<void> {
  const options = parseOptions(process.argv);
  const report: Report = options.json ? toStderr : (line) => void process.stdout.write(`${line}\n`);
  const signal = stopRequests(report);
  let world: World | undefined;
  try {
    report('starting the world: Temporal, AWS, a worker');
    const timeScale = Number(process.env['KEYSHIFT_LOCAL_TIME_SCALE'] ?? TIME_SCALE);
    const env = options.nightmare === undefined ? {} : { [NIGHTMARE_VARIABLE]: String(options.nightmare) };
    world = await startWorld({ root: join('.keyshift', options.name), report, timeScale, signal, env });
    report(`Temporal ${world.temporalAddress}, Web UI ${world.uiUrl}, AWS ${world.awsEndpoint}`);
    const passed = await orStopped(signal, migrate(world, options, report, signal));
    process.exitCode = passed ? 0 : 1;
    if (options.keep) await stayUp(world, report, signal);
  } catch (error) {
    process.exitCode = error instanceof Stopped ? 130 : 1;
    if (!(error instanceof Stopped)) toStderr(`the demo failed: ${messageOf(error)}`);
    if (world && !signal.aborted) toStderr(`logs: ${relative(REPOSITORY, world.logs)}/`);
    if (world && options.keep && !signal.aborted) await stayUp(world, report, signal);
  } finally {
    await world?.stop();
  }
}

async function migrate(world: World, options: DemoOptions, report: Report, signal: AbortSignal): Promise<boolean> {
  const { rows, rate, hold, pooler, abortInPause, rollback, json } = options;
  const keeper = await WorkerKeeper.start(world);
  const chaos = new Chaos(options.chaos, options.seed, keeper, report);
  world.onStop('chaos', () => chaos.stop());
  const hooks = {
    started: () => options.chaos > 0 && chaos.start(),
    // Whoever kills nobody needs not know when the pause begins.
    ...(options.chaos > 0 ? { cutoverApproved: (out: Promise<void>) => chaos.cutoverApproved(out) } : {}),
    beforeFinish: () => chaos.beforeFinish(),
    finishing: () => chaos.finishing(),
    async looked() {
      const death = await keeper.death();
      if (death) throw new Error(`the worker died by itself: it ${death}`);
    },
  };
  const { verdict, contents } = await runDemo({
    world,
    rows,
    rate,
    report,
    signal,
    hold,
    pooler,
    abortInPause,
    rollback,
    nightmare: options.nightmare !== undefined,
    hooks,
  });
  report(verdictTable(verdict, [...contents.examples, ...contents.behind]));
  report(`written to ${join('.keyshift', options.name, 'verdict.json')}`);
  if (json) process.stdout.write(`${JSON.stringify(verdict, undefined, 2)}\n`);
  return verdict.passed;
}

async function stayUp(world: World, report: Report, signal: AbortSignal): Promise<void> {
  report(`staying up: Web UI ${world.uiUrl}; Ctrl-C stops everything`);
  await untilStopped(signal);
}

void main();
