import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import { finalFailure } from '../../plan/failures';
import type { TrafficSwitch } from '../../plan/plan';
import { isAwsError } from '../classify-error';
import { type Aws, awsOf, instanceOf } from '../dependencies';
import type { Endpoint } from '../postgres/session';
import { decide, type DecisiveWrite } from './decide';
import { fateOf } from '../one-request';
import { rewriteEndpoint } from './rewrite-endpoint';
import {
  type Deciding,
  endpointText,
  type PointsAt,
  type ReadySwitchPlace,
  SWITCH_UNCONFIRMED,
  type SwitchKind,
  type SwitchLook,
  type SwitchPlace,
} from './traffic-switch';

/** How long a read may be behind a write, in milliseconds. */
const READ_BACK_MS = 2_000;
const READ_AGAIN_MS = 50;

/** Somebody may write at the same time as often as this. */
const ROUNDS = 3;

/** A value, and the store's name for its version. */
export interface Stored {
  readonly value: string;
  readonly version: string;
}

/** One place that tells applications where their database is. Values may hold passwords: they never leave the worker. */
export interface TrafficStore {
  /** What the report calls it. */
  readonly what: string;
  /** @param options.onlyLook nothing is going to be written by what is read: where it points is all that is asked */
  read(options?: { abortSignal?: AbortSignal; onlyLook?: boolean }): Promise<Stored>;
  /** Replaces the value with one request; the store keeps the old one as a version of its own. */
  write(value: string): Promise<unknown>;
  /** The version before the present one, where the store can tell without knowing that one; asked beside the read that follows a write. */
  readonly previous?: () => Promise<Stored | undefined>;
  /** What somebody else wrote after our read and before our write, which it hides; undefined: nothing. */
  writtenBefore(read: Stored, now: Stored, previous: Stored | undefined): Promise<Stored | undefined>;
}

/** A switch that is a value which names an endpoint: applications read it when they connect. */
export function storedValue<Entry extends TrafficSwitch>(
  decidedWithinMs: number,
  storeOf: (aws: Aws, entry: Entry) => TrafficStore,
): SwitchKind<Entry> {
  return {
    opaque: false,
    decidedWithinMs,
    look: (place, entry) => look(place, storeOf(awsOf(place.deps, place.ref), entry)),
    async prepare(place, entry) {
      const store = storeOf(awsOf(place.deps, place.ref), entry);
      const rewriting = new Rewriting(store, place, decidedWithinMs);
      await rewriting.lookAgain();
      return {
        what: store.what,
        from: endpointText(place.from),
        to: endpointText(place.to),
        done: rewriting.isDone,
        lookAgain: (inTime) => rewriting.lookAgain(inTime),
        apply: (deciding) => rewriting.apply(deciding),
      };
    },
  };
}

/** Only the endpoint is ours: everything else of the value is what somebody wrote last. */
class Rewriting {
  #read: Stored = { value: '', version: '' };
  #rewritten = '';

  constructor(
    private readonly store: TrafficStore,
    private readonly place: ReadySwitchPlace,
    private readonly decidedWithinMs: number,
  ) {}

  get isDone(): boolean {
    return pointsAtOf(this.#read.value, this.place) === 'to';
  }

  async lookAgain(inTime: { abortSignal?: AbortSignal } = {}): Promise<void> {
    const read = await this.store.read(inTime);
    if (pointsAtOf(read.value, this.place) === 'neither') {
      const [from, to] = [endpointText(this.place.from), endpointText(this.place.to)];
      throw finalFailure(
        'TrafficRefused',
        `${this.store.what} names neither ${from} nor ${to}: somebody changed it. Put ${from} back into it, then send retry.`,
      );
    }
    this.take(read);
  }

  async apply(deciding: Deciding = {}): Promise<void> {
    for (let round = 1; !this.isDone; round += 1) {
      const value = this.#rewritten;
      await decide(this.writing(value), deciding);
      // From here on it is decided. What somebody wrote at the same time is brought back, with the new endpoint in it.
      const hidden = await this.readBack(value);
      if (!hidden) return;
      this.take(hidden);
      if (round === ROUNDS) {
        const message = `${this.store.what}: somebody else writes it all the time; their last change may be lost`;
        throw ApplicationFailure.retryable(message, SWITCH_UNCONFIRMED);
      }
    }
  }

  /** @throws Error when the value has no place for the other port */
  private take(read: Stored): void {
    const { ref, from, to } = this.place;
    const [old, other] = [instanceOf(ref, 'source'), instanceOf(ref, 'target')];
    this.#rewritten = rewriteEndpoint(read.value, { ...from, instance: old }, { ...to, instance: other }).value;
    this.#read = read;
  }

  private writing(value: string): DecisiveWrite {
    return {
      what: this.store.what,
      decidedWithinMs: this.decidedWithinMs,
      write: () => this.store.write(value),
      fateOf,
      look: async () => pointsAtOf((await this.store.read({ onlyLook: true })).value, this.place),
    };
  }

  /**
   * Reads the store until it shows the write.
   * @returns what somebody else wrote, which needs the new endpoint; undefined: nothing
   * @throws ApplicationFailure SWITCH_UNCONFIRMED when it does not show the write
   */
  private async readBack(value: string): Promise<Stored | undefined> {
    const { store } = this;
    const read = this.#read;
    const giveUpAt = Date.now() + READ_BACK_MS;
    let now: Stored;
    do {
      const [found, previous] = await Promise.all([store.read(), store.previous?.()]);
      now = found;
      if (now.value === value) return store.writtenBefore(read, now, previous);
      // Somebody wrote after us, and left the endpoint as it is.
      if (pointsAtOf(now.value, this.place) === 'to') return undefined;
      await sleep(READ_AGAIN_MS);
    } while (Date.now() < giveUpAt);
    // A rotation that had read the old value and ended after our write.
    if (now.version !== read.version && pointsAtOf(now.value, this.place) === 'from') return now;
    throw ApplicationFailure.retryable(`${store.what} does not read back as written`, SWITCH_UNCONFIRMED);
  }
}

function pointsAtOf(value: string, { from, to }: Pick<SwitchPlace, 'from' | 'to'>): PointsAt {
  if (names(value, from)) return 'from';
  return to && names(value, to) ? 'to' : 'neither';
}

const names = (value: string, endpoint: Endpoint): boolean =>
  rewriteEndpoint(value, endpoint, endpoint).replacements > 0;

async function look({ deps, ref, from, to }: SwitchPlace, store: TrafficStore): Promise<SwitchLook> {
  let value: string;
  try {
    value = (await store.read({ onlyLook: true })).value;
  } catch (error) {
    if (!isAwsError(error, 'ParameterNotFound', 'ResourceNotFoundException')) throw error;
    const red = `There is no ${store.what} in region ${awsOf(deps, ref).region}: correct cutover.traffic.`;
    return { what: store.what, pointsAt: 'neither', findings: [], red: [red] };
  }
  const pointsAt = pointsAtOf(value, { from, ...(to ? { to } : {}) });
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
