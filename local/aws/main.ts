import { fstatSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { prepareAuthority } from './authority';
import { Clock } from './clock';
import type { Context } from './context';
import { Faults } from './faults';
import { PidLedger } from './pid-ledger';
import { preparePlaces } from './places';
import { ProxyPool } from './rds/proxy-pool';
import { ServerPool } from './rds/server-pool';
import { resumeEverything } from './resume';
import { createAwsServer } from './server';
import { assertAlone } from './single-instance';
import { ACCOUNT_ID, Store } from './state';
import { Whims } from './whims';

const DEFAULT_REGION = 'eu-central-1';
/** 1 would be AWS's own pace. */
const DEFAULT_TIME_SCALE = 0.01;
/** How often we look whether the process that started us is still there. */
const PARENT_POLL_MS = 500;

/**
 * The embedded AWS: `node --import tsx local/aws/main.ts --state-dir <dir> [--port <n>] [--cache-dir <dir>] [--exit-with-parent]`.
 * Prints one line of JSON on stdout when it is ready; logs go to stderr.
 */
async function main(): Promise<void> {
  const { values: flags } = parseArgs({
    options: {
      'state-dir': { type: 'string' },
      port: { type: 'string', default: '0' },
      'cache-dir': { type: 'string' },
      'exit-with-parent': { type: 'boolean', default: false },
    },
  });
  if (flags['state-dir'] === undefined) throw new Error('--state-dir <dir> is required');
  const log = pino({ name: 'aws', level: process.env['KEYSHIFT_LOCAL_LOG_LEVEL'] ?? 'info' }, pino.destination(2));
  const shutdown = new AbortController();
  const places = preparePlaces(flags['state-dir'], flags['cache-dir']);
  assertAlone(places.stateDir);
  const store = new Store(places.stateDir);
  const pids = new PidLedger(places.stateDir);
  const clock = new Clock(Number(process.env['KEYSHIFT_LOCAL_TIME_SCALE'] ?? DEFAULT_TIME_SCALE), shutdown.signal);
  const servers = new ServerPool(store, places, pids, log);
  const context: Context = {
    store,
    places,
    pids,
    log,
    clock,
    faults: new Faults(),
    whims: new Whims(process.env['KEYSHIFT_LOCAL_NIGHTMARE']),
    servers,
    proxies: new ProxyPool(store, servers, clock, log),
    shutdown: shutdown.signal,
    background: new Set(),
  };
  const server = createAwsServer(context);

  const stop = async (reason: string): Promise<void> => {
    if (shutdown.signal.aborted) return;
    log.info({ reason }, 'stopping');
    shutdown.abort();
    server.close();
    server.closeAllConnections();
    await Promise.allSettled(context.background);
    await context.proxies.closeAll();
    await context.servers.stopAll();
    store.changed();
    await store.flush();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal));
  if (flags['exit-with-parent']) watchParent(() => void stop('parent is gone'));

  await prepareAuthority(places);
  await resumeEverything(context);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(Number(flags.port), '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const ready = {
    ready: true,
    endpoint: `http://127.0.0.1:${port}`,
    region: DEFAULT_REGION,
    accountId: ACCOUNT_ID,
    caBundle: places.caBundle,
  };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
}

/** Calls back when the process that started us is gone, or has closed the pipe to our standard input. */
function watchParent(onGone: () => void): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) onGone();
  }, PARENT_POLL_MS).unref();
  const stdin = fstatSync(0);
  if (stdin.isFIFO() || stdin.isSocket()) process.stdin.on('end', onGone).on('close', onGone).resume();
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
});
