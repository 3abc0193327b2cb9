// First of all: what is loaded next is much.
import './heap';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { Connection } from '@temporalio/client';
import { NativeConnection, Runtime, type Worker } from '@temporalio/worker';
import { readConfiguration } from './configuration';
import { requireCredentials, requireNamespace } from './surroundings';
import { createWorkers } from './create-worker';
import { serveHealth } from './health';
import { logger, temporalLogger } from './logger';
import { isFirstProcess, supervise } from './supervise';
import { registerSearchAttributes } from '../plan/register-search-attributes';

/** Ends a shutdown that hangs; longer than the grace time of the activities. */
const SHUTDOWN_DEADLINE_MS = 30_000;

/** Everything that was started, ended in reverse order. */
const releasers: (() => unknown)[] = [];

async function main(): Promise<void> {
  const configuration = readConfiguration(process.env);
  const { namespace = 'default', connectionOptions } = loadClientConnectConfig();
  // Signals are handled below, so that everything is released in order.
  Runtime.install({ logger: temporalLogger, shutdownSignals: [] });

  const connection = await Connection.connect(connectionOptions);
  releasers.push(() => connection.close());
  await requireNamespace(connection, namespace);
  const caller = await requireCredentials(configuration.awsRegion);
  await registerOrWarn(connection, namespace);

  const native = await NativeConnection.connect(connectionOptions);
  releasers.push(() => native.close());
  const { workers, snapshots } = await createWorkers(native, namespace, configuration);
  releasers.push(() => snapshots.releaseAll());

  let stopping = false;
  if (configuration.healthPort !== undefined) {
    releasers.push(await serveHealth(configuration.healthPort, () => !stopping && !workers.some(hasEnded)));
  }
  const stop = (signal: string) => {
    if (stopping) return;
    stopping = true;
    logger.info({ signal }, 'worker stops');
    setTimeout(() => process.exit(1), SHUTDOWN_DEADLINE_MS).unref();
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(signal));

  logger.info({ namespace, pid: process.pid, aws: caller }, 'worker ready');
  await Promise.all(workers.map((worker) => worker.run()));
}

/** One that has ended leaves its task queue to others: that of the pause, too. */
const hasEnded = (worker: Worker): boolean => ['STOPPED', 'FAILED'].includes(worker.getState());

/** Where a worker may not look (Temporal Cloud), an administrator has made the attributes: a missing one shows at the first task. */
async function registerOrWarn(connection: Connection, namespace: string): Promise<void> {
  try {
    const registered = await registerSearchAttributes(connection.operatorService, namespace);
    if (registered.length > 0) logger.info({ registered }, 'search attributes registered');
  } catch (error) {
    logger.warn((error as Error).message);
  }
}

async function release(): Promise<void> {
  for (let releaser = releasers.pop(); releaser; releaser = releasers.pop()) await releaser();
}

if (isFirstProcess()) void supervise().then((code) => process.exit(code));
else
  void main()
    .catch((error: unknown) => {
      logger.fatal(error instanceof Error ? error.message : String(error));
      process.exitCode = 1;
    })
    .finally(() => release());
