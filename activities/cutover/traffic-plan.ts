import { finalFailure } from '../../plan/failures';
import type { TrafficSwitch } from '../../plan/plan';
import type { Aws } from '../dependencies';
import type { Endpoint } from '../postgres/session';
import type { Endpoints } from './pause-sessions';
import { rewriteEndpoint } from '../traffic/rewrite-endpoint';
import { trafficStore } from '../traffic/switches';

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
          // A write whose answer got lost may have taken effect: the read-back decides.
          const written = await store.write(there.value).then(
            () => undefined,
            (error: Error) => error,
          );
          if ((await store.read()) === there.value) return;
          throw written ?? new Error(`${store.what} does not read back as written`);
        },
      };
    }),
  );
}
