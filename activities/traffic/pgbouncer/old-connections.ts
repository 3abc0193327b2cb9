import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import type { PoolerConsole, PoolerServer } from '../../poolers/console';
import type { Endpoint } from '../../postgres/session';
import { endpointText, type ReadySwitchPlace, SWITCH_UNCONFIRMED } from '../traffic-switch';

/** PgBouncer closes connections of the old server when they are released; what holds one longer, the fence has ended. */
const CLOSED_WITHIN_MS = 3_000;
/** By default PgBouncer believes an answer of DNS for 15 s (`dns_max_ttl`), and asks again when a client needs it. */
const RESOLVED_WITHIN_MS = 20_000;
const LOOK_AGAIN_MS = 20;

/** The server connections of PgBouncers that lead to where applications come from. */
export interface OldConnections {
  /** Has every server connection closed, and waits until names are resolved anew. */
  reconnect(): Promise<void>;
  /** Waits until none is left. @throws ApplicationFailure SWITCH_UNCONFIRMED */
  untilGone(): Promise<void>;
}

/** Resolves both sides now: where a switch before this one moves a name, it would lead to the other side afterwards. */
export async function oldConnections(
  consoles: readonly PoolerConsole[],
  { from, to }: ReadySwitchPlace,
  wanted: (database: string) => boolean,
): Promise<OldConnections> {
  const [there, here] = await Promise.all([addressesOf(from), addressesOf(to)]);
  const isOld = ({ database, address, port }: PoolerServer): boolean =>
    wanted(database) && there.includes(address) && port === from.port && !(here.includes(address) && port === to.port);
  const isOnlyOld = (address: string): boolean => there.includes(address) && !here.includes(address);

  /** Waits until no PgBouncer has what is looked for. */
  const untilNone = async (limitMs: number, what: string, found: (console: PoolerConsole) => Promise<boolean>) => {
    const giveUpAt = Date.now() + limitMs;
    for (const console of consoles) {
      while (await found(console)) {
        if (Date.now() > giveUpAt) {
          const message = `${console.name} still ${what} ${endpointText(from)}`;
          throw ApplicationFailure.retryable(message, SWITCH_UNCONFIRMED);
        }
        await sleep(LOOK_AGAIN_MS);
      }
    }
  };
  const reconnectAll = () => Promise.all(consoles.map((console) => console.reconnect()));

  return {
    async reconnect() {
      await reconnectAll();
      await untilNone(RESOLVED_WITHIN_MS, 'resolves a name to', async (console) =>
        (await console.names()).some(({ ttl, addresses }) => ttl > 0 && addresses.some(isOnlyOld)),
      );
      // Whatever was opened by an old answer meanwhile.
      await reconnectAll();
    },
    untilGone: () =>
      untilNone(CLOSED_WITHIN_MS, 'has connections to', async (console) => (await console.servers()).some(isOld)),
  };
}

/** Where a host leads from here. A name that only PgBouncer can resolve tells nothing: its connections can't be recognised then. */
async function addressesOf({ address }: Endpoint): Promise<string[]> {
  if (isIP(address)) return [address];
  const found = await lookup(address, { all: true }).catch(() => []);
  return found.map((one) => one.address);
}
