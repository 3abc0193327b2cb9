import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import { finalFailure } from '../../plan/failures';
import type { TrafficSwitch } from '../../plan/plan';
import type { Aws } from '../dependencies';
import type { Endpoint } from '../postgres/session';
import type { Endpoints } from './pause-sessions';
import { rewriteEndpoint } from '../traffic/rewrite-endpoint';
import { trafficStore } from '../traffic/switches';

/** Type of the failure of a switch that AWS took but that does not read back yet. */
export const SWITCH_UNCONFIRMED = 'SwitchUnconfirmed';
/** How long a read may be behind a write, in milliseconds. */
const READ_BACK_MS = 2_000;
const READ_AGAIN_MS = 50;

/** A traffic switch of which everything is known but the moment. */
export interface PreparedSwitch {
  readonly what: string;
  /** Endpoints, never the whole value: that may hold a password. */
  readonly from: string;
  readonly to: string;
  /** It points at the target already. */
  readonly done: boolean;
  /** Points it at the target and reads it back. */
  apply(): Promise<void>;
}

const text = ({ address, port }: Endpoint): string => `${address}:${port}`;

/** Whether any switch names the target, and no longer the source. */
export async function namesTarget(aws: Aws, traffic: readonly TrafficSwitch[], endpoints: Endpoints): Promise<boolean> {
  const { sourceEndpoint, targetEndpoint } = endpoints;
  for (const entry of traffic) {
    const now = await trafficStore(aws, entry).read();
    const names = (endpoint: Endpoint) => rewriteEndpoint(now, endpoint, endpoint).replacements > 0;
    if (names(targetEndpoint) && !names(sourceEndpoint)) return true;
  }
  return false;
}

/** Reads every switch before the pause, so that inside it only one call each is left. */
export async function preparedSwitches(
  aws: Aws,
  traffic: readonly TrafficSwitch[],
  { sourceEndpoint, targetEndpoint }: Endpoints,
): Promise<PreparedSwitch[]> {
  return Promise.all(
    traffic.map(async (entry) => {
      const store = trafficStore(aws, entry);
      const now = await store.read();
      const there = rewriteEndpoint(now, sourceEndpoint, targetEndpoint);
      const done = there.replacements === 0 && rewriteEndpoint(now, targetEndpoint, targetEndpoint).replacements > 0;
      if (there.replacements === 0 && !done) {
        throw finalFailure(
          'TrafficRefused',
          `${store.what} names neither ${text(sourceEndpoint)} nor ${text(targetEndpoint)}: somebody changed it. Put the source's endpoint back into it, then send retry.`,
        );
      }
      return {
        what: store.what,
        from: text(sourceEndpoint),
        to: text(targetEndpoint),
        done,
        apply: async () => {
          if (done) return;
          // A write that was answered has taken effect, even if reads are behind; one whose answer got lost may have.
          const refused = await store.write(there.value).then(
            () => undefined,
            (error: Error) => error,
          );
          const giveUpAt = Date.now() + READ_BACK_MS;
          do {
            if ((await store.read()) === there.value) return;
            await sleep(READ_AGAIN_MS);
          } while (Date.now() < giveUpAt);
          throw (
            refused ?? ApplicationFailure.retryable(`${store.what} does not read back as written`, SWITCH_UNCONFIRMED)
          );
        },
      };
    }),
  );
}
