import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import { finalFailure } from '../../plan/failures';
import type { TrafficSwitch } from '../../plan/plan';
import { isAwsError } from '../classify-error';
import { type Aws, awsOf, instanceOf } from '../dependencies';
import type { Endpoint } from '../postgres/session';
import { rewriteEndpoint } from './rewrite-endpoint';
import {
  endpointText,
  type PointsAt,
  SWITCH_UNCONFIRMED,
  type SwitchKind,
  type SwitchLook,
  type SwitchPlace,
} from './traffic-switch';

/** How long a read may be behind a write, in milliseconds. */
const READ_BACK_MS = 2_000;
const READ_AGAIN_MS = 50;

/** One place that tells applications where their database is. Values may hold passwords: they never leave the worker. */
export interface TrafficStore {
  /** What the report calls it. */
  readonly what: string;
  read(): Promise<string>;
  /** Replaces the value; the store keeps the old one as a version of its own. */
  write(value: string): Promise<void>;
}

/** A switch that is a value which names an endpoint: applications read it when they connect. */
export function storedValue<Entry extends TrafficSwitch>(
  storeOf: (aws: Aws, entry: Entry) => TrafficStore,
): SwitchKind<Entry> {
  return {
    opaque: false,
    look: (place, entry) => look(place, storeOf(awsOf(place.deps, place.ref), entry)),
    async prepare({ deps, ref, from, to }, entry) {
      const store = storeOf(awsOf(deps, ref), entry);
      const now = await store.read();
      const there = rewriteEndpoint(
        now,
        { ...from, instance: instanceOf(ref, 'source') },
        { ...to, instance: instanceOf(ref, 'target') },
      );
      const done = there.replacements === 0 && names(now, to);
      if (there.replacements === 0 && !done) {
        throw finalFailure(
          'TrafficRefused',
          `${store.what} names neither ${endpointText(from)} nor ${endpointText(to)}: somebody changed it. Put ${endpointText(from)} back into it, then send retry.`,
        );
      }
      return {
        what: store.what,
        from: endpointText(from),
        to: endpointText(to),
        done,
        apply: async () => {
          if (!done) await writeAndReadBack(store, there.value);
        },
      };
    },
  };
}

const names = (value: string, endpoint: Endpoint): boolean =>
  rewriteEndpoint(value, endpoint, endpoint).replacements > 0;

async function look({ deps, ref, from, to }: SwitchPlace, store: TrafficStore): Promise<SwitchLook> {
  let value: string;
  try {
    value = await store.read();
  } catch (error) {
    if (!isAwsError(error, 'ParameterNotFound', 'ResourceNotFoundException')) throw error;
    const red = `There is no ${store.what} in region ${awsOf(deps, ref).region}: correct cutover.traffic.`;
    return { what: store.what, pointsAt: 'neither', findings: [], red: [red] };
  }
  const pointsAt: PointsAt = names(value, from) ? 'from' : to && names(value, to) ? 'to' : 'neither';
  if (pointsAt !== 'from') {
    const red = `${store.what} does not name ${endpointText(from)}: name the parameter or secret from which applications read their database, or write that endpoint into it.`;
    return { what: store.what, pointsAt, findings: [], red: [red] };
  }
  const finding = to ? `${endpointText(from)} becomes ${endpointText(to)}` : `names ${endpointText(from)}`;
  const findings = [`${store.what}: ${finding}`];
  try {
    if (to) rewriteEndpoint(value, from, to);
    return { what: store.what, pointsAt, findings, red: [] };
  } catch (error) {
    return { what: store.what, pointsAt, findings: [], red: [`${store.what}: ${(error as Error).message}`] };
  }
}

/** A write that was answered has taken effect, even if reads are behind; one whose answer got lost may have. */
async function writeAndReadBack(store: TrafficStore, value: string): Promise<void> {
  const refused = await store.write(value).then(
    () => undefined,
    (error: Error) => error,
  );
  const giveUpAt = Date.now() + READ_BACK_MS;
  do {
    if ((await store.read()) === value) return;
    await sleep(READ_AGAIN_MS);
  } while (Date.now() < giveUpAt);
  throw refused ?? ApplicationFailure.retryable(`${store.what} does not read back as written`, SWITCH_UNCONFIRMED);
}
