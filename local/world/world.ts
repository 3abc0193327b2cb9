import { resolve } from 'node:path';
import { REPOSITORY } from '../tools/paths';
import { toStderr, type Report } from '../tools/report';
import { runCommand, type CommandResult } from '../tools/run-command';
import { findTemporalCli } from '../tools/temporal-cli';
import { WORKER_ACCESS_KEY } from '../app/worker-policy';
import { EmbeddedAws } from './embedded-aws';
import { childEnvironment, worldVariables } from './environment';
import {
  claim,
  cleanLeftovers,
  endLeftovers,
  giveUp,
  removeWorldState,
  worldFiles,
  type WorldFiles,
} from './ownership';
import { ProcessRegistry } from './process-registry';
import { Releasers } from './releasers';
import { TemporalServer } from './temporal-server';
import { orStopped } from './until-signal';
import { WorkerProcess } from './worker-process';

export interface WorldOptions {
  /** The folder of this world, relative to the repository: `.keyshift/<name>`. */
  readonly root: string;
  readonly report?: Report;
  /** Factor for the times that AWS takes; see `KEYSHIFT_LOCAL_TIME_SCALE`. */
  readonly timeScale?: number;
  /** More variables for the processes of this world. */
  readonly env?: Readonly<Record<string, string>>;
  /** Leave the state in its folder after the stop, for a look at it. */
  readonly keepState?: boolean;
  /** Gives the start up. */
  readonly signal?: AbortSignal;
}

/** Temporal, AWS and any number of workers, on this machine, in one folder. */
export interface World {
  readonly root: string;
  readonly logs: string;
  /** What a program needs to use it. */
  readonly variables: Readonly<Record<string, string>>;
  /** `variables` on top of this process's environment. */
  readonly env: NodeJS.ProcessEnv;
  readonly registry: ProcessRegistry;
  readonly awsEndpoint: string;
  readonly region: string;
  readonly accountId: string;
  readonly caBundle: string;
  readonly temporalAddress: string;
  readonly uiUrl: string;
  /** Path of the Temporal CLI. */
  readonly temporalCli: string;
  /** Runs the Temporal CLI against this world. */
  temporal(args: readonly string[], timeoutMs?: number): Promise<CommandResult>;
  /** Starts a worker and waits until it polls. */
  startWorker(): Promise<WorkerProcess>;
  /** Starts a worker without waiting. */
  launchWorker(): WorkerProcess;
  /** SIGKILL. */
  killTemporal(): Promise<void>;
  /** Starts it again on the same address and state. */
  restartTemporal(): Promise<void>;
  /** Stops AWS in good order, its databases too, and starts it again on the same address and state. */
  restartAws(): Promise<void>;
  /** Something to undo when the world stops, before its parts are stopped. */
  onStop(what: string, release: () => Promise<void> | void): void;
  /** Stops everything and removes the state; logs stay. */
  stop(): Promise<void>;
}

/** What the worker takes for AWS's own (docs/operating.md). */
const RDS_SHOWS_AFTER_MS = 30_000;

/** Starts a world; what a killed run left in the same folder is cleaned first. If anything fails, everything is stopped. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const report = options.report ?? toStderr;
  const files = worldFiles(resolve(REPOSITORY, options.root));
  const releasers = new Releasers(report);
  claim(files);
  releasers.add('ownership', () => giveUp(files));
  try {
    await cleanLeftovers(files, report);
    if (!options.keepState) releasers.add('state', () => removeWorldState(files));
    // What was still starting when we were asked to stop is not on the stack yet.
    releasers.add('processes', async () => {
      await endLeftovers(files);
    });
    const starting = startParts(files, releasers, options, report);
    return await (options.signal ? orStopped(options.signal, starting) : starting);
  } catch (error) {
    await releasers.releaseAll();
    throw error;
  }
}

async function startParts(
  files: WorldFiles,
  releasers: Releasers,
  options: WorldOptions,
  report: Report,
): Promise<World> {
  const registry = new ProcessRegistry(files.registry);
  const cli = await findTemporalCli({ report });
  const scale = options.timeScale === undefined ? {} : { KEYSHIFT_LOCAL_TIME_SCALE: String(options.timeScale) };
  const bare = { ...childEnvironment(process.env, {}), ...scale, ...options.env };

  // The CLI notes versions that it has seen in the user's configuration; here, in the world's.
  const ofTheWorld = { XDG_CONFIG_HOME: files.root };

  const starting = [
    TemporalServer.start(cli.path, files, registry, { ...bare, ...ofTheWorld }, options.signal),
    EmbeddedAws.start(files, registry, bare),
  ] as const;
  // Both are awaited even if one fails, so that the other is stopped as well.
  const [temporalStart, awsStart] = await Promise.allSettled(starting);
  if (temporalStart.status === 'fulfilled') releasers.add('Temporal', () => temporalStart.value.stop());
  if (awsStart.status === 'rejected') throw awsStart.reason;
  let aws = awsStart.value;
  releasers.add('AWS', () => aws.stop());
  if (temporalStart.status === 'rejected') throw temporalStart.reason;
  const temporal = temporalStart.value;

  const { endpoint: awsEndpoint, region, accountId, caBundle } = aws.facts;
  const addresses = { awsEndpoint, region, caBundle, temporalAddress: temporal.address, uiUrl: temporal.uiUrl };
  const variables = { ...worldVariables(addresses), ...scale };
  const env = { ...childEnvironment(process.env, variables), ...options.env };
  // What takes AWS half a minute to show shows here in proportion.
  const pace = { KEYSHIFT_RDS_SHOWS_AFTER_MS: String(Math.ceil(RDS_SHOWS_AFTER_MS * (options.timeScale ?? 0.01))) };
  let workers = 0;
  const launchWorker = (): WorkerProcess => {
    workers += 1;
    const ofWorkers = { ...env, ...pace, AWS_ACCESS_KEY_ID: WORKER_ACCESS_KEY };
    const worker = new WorkerProcess(files, registry, ofWorkers, `worker-${workers}`);
    releasers.add('worker', () => worker.stop());
    return worker;
  };
  return {
    root: files.root,
    logs: files.logs,
    variables,
    env,
    registry,
    ...addresses,
    accountId,
    temporalCli: cli.path,
    temporal: (args, timeoutMs = 30_000) => runCommand(cli.path, args, { env: { ...env, ...ofTheWorld }, timeoutMs }),
    launchWorker,
    async startWorker() {
      const worker = launchWorker();
      await worker.ready;
      return worker;
    },
    killTemporal: () => temporal.kill(),
    restartTemporal: () => temporal.start(),
    async restartAws() {
      await aws.stop();
      aws = await EmbeddedAws.start(files, registry, bare, aws.port);
    },
    onStop: (what, release) => releasers.add(what, release),
    stop: () => releasers.releaseAll(),
  };
}
