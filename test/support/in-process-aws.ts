import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Clock } from '../../local/aws/clock';
import type { Context } from '../../local/aws/context';
import { Faults } from '../../local/aws/faults';
import { ProxyPool } from '../../local/aws/rds/proxy-pool';
import { createAwsServer } from '../../local/aws/server';
import { Store } from '../../local/aws/state';
import { Whims } from '../../local/aws/whims';

/** The embedded AWS inside the test's own process, without any PostgreSQL server: for whatever needs none. */
export async function inProcessAws(): Promise<{ readonly endpoint: string; readonly close: () => Promise<void> }> {
  const stateDir = mkdtempSync(join(tmpdir(), 'keyshift-contract-'));
  const shutdown = new AbortController();
  const context = {
    store: new Store(stateDir),
    faults: new Faults(),
    whims: new Whims(),
    clock: new Clock(0, shutdown.signal),
    log: pino({ level: 'silent' }),
    background: new Set<Promise<void>>(),
    shutdown: shutdown.signal,
    places: { stateDir },
  } as unknown as Context;
  const proxies = new ProxyPool(context.store, context.servers, context.clock, context.log);
  Object.assign(context, { proxies });
  const server = createAwsServer(context);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async close() {
      shutdown.abort();
      await proxies.closeAll();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await Promise.allSettled(context.background);
      await context.store.flush();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}
