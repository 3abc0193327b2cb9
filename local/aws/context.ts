import type { Logger } from 'pino';
import type { Clock } from './clock';
import type { Faults } from './faults';
import type { PidLedger } from './pid-ledger';
import type { Places } from './places';
import type { ProxyPool } from './rds/proxy-pool';
import type { ServerPool } from './rds/server-pool';
import type { Store } from './state';
import type { Whims } from './whims';

/** What every part of the stand-in works with. */
export interface Context {
  readonly store: Store;
  readonly places: Places;
  readonly clock: Clock;
  readonly faults: Faults;
  readonly whims: Whims;
  readonly pids: PidLedger;
  readonly servers: ServerPool;
  readonly proxies: ProxyPool;
  readonly log: Logger;
  /** Ends when the stand-in shuts down. */
  readonly shutdown: AbortSignal;
  /** Work that goes on after its call was answered. */
  readonly background: Set<Promise<void>>;
}
