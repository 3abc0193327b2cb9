import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import type { Fate } from '../one-request';
import { type Deciding, type PointsAt, SWITCH_UNCONFIRMED, SwitchRefused } from './traffic-switch';

/** Between two tries, and between two looks, in milliseconds: every one of them is downtime at first. */
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 1_000;
/** Of a switch that does not decide: the next attempt of the activity goes on. What can't be read is tried once. */
const TRIES = 3;

/** How a kind of switch makes its write, and how it finds out what came of it. */
export interface DecisiveWrite {
  /** What the report calls the switch. */
  readonly what: string;
  /** Sends one request, and no other. */
  write(): Promise<unknown>;
  /** What is known of a `write` that threw. */
  fateOf(error: unknown): { fate: Fate; error: Error };
  /** Where it points now; absent: nobody can read that. */
  readonly look?: () => Promise<PointsAt>;
  /** So long after a request was sent it may still take effect and not show; see `SwitchKind.decidedWithinMs`. */
  readonly decidedWithinMs: number;
}

/**
 * Makes a switch, going forward: a request of which nobody knows what became is followed by another. Whatever may have been sent is unknown
 * until it is known: the switch counts as refused only when no request can have taken effect: the first one was refused and none was sent
 * before, or nothing shows when the last one that may have been sent can't take effect any more. The fence stays up meanwhile, also beyond
 * the budget of the pause: an outage that is longer is better than writes that are lost.
 * @throws SwitchRefused when it did not take effect and never will
 * @throws ApplicationFailure SWITCH_UNCONFIRMED when nobody can know yet: to be tried again
 */
export async function decide(write: DecisiveWrite, deciding: Deciding = {}): Promise<void> {
  const tries = new Tries(write, deciding);
  let waitMs = FIRST_WAIT_MS;
  for (;;) {
    const said = await tries.send();
    if (said === 'taken' || (await tries.shows())) return;
    const over = said === 'refused' ? '' : whyOver(deciding, tries.count, write.look ? TRIES : 1);
    if (over !== undefined) return tries.untilKnown(over);
    await sleep(waitMs);
    waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2);
  }
}

/** Why nothing more is to be sent; undefined: another request may be. */
function whyOver({ mayGoOn }: Deciding, count: number, limit: number): string | undefined {
  if (!mayGoOn) return count < limit ? undefined : `tried ${count} times`;
  try {
    mayGoOn();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Requests of one switch, and since when one of them may have taken effect. */
class Tries {
  count = 0;
  #lastError = 'nothing was sent';
  /** When the latest request was sent of which nobody knows what became, clock of this process in milliseconds. */
  #unknownSince: number | undefined;

  constructor(
    private readonly of: DecisiveWrite,
    private readonly deciding: Deciding,
  ) {
    this.#unknownSince = deciding.sentSince;
  }

  async send(): Promise<'taken' | Fate> {
    this.count += 1;
    try {
      await this.of.write();
      return 'taken';
    } catch (thrown) {
      const { fate, error } = this.of.fateOf(thrown);
      this.#lastError = '$metadata' in error ? `AWS answered ${error.name}: ${error.message}` : error.message;
      if (fate === 'unknown') this.#unknownSince = Date.now();
      return fate;
    }
  }

  /** Whether it shows that a request took effect. Where none can have, nothing has to be asked. */
  async shows(): Promise<boolean> {
    if (this.#unknownSince === undefined) return false;
    return (await this.of.look?.().catch(() => undefined)) === 'to';
  }

  /** Sends nothing more. Returns when the switch turns out to have been made. */
  async untilKnown(why: string): Promise<void> {
    const { what, look, decidedWithinMs } = this.of;
    const said = [`${what}: ${this.#lastError}`, why].filter(Boolean).join('; ');
    if (this.#unknownSince === undefined) throw new SwitchRefused(said);
    const knownAt = this.#unknownSince + decidedWithinMs;
    const waitsSince = Date.now();
    while (look && knownAt !== Number.POSITIVE_INFINITY) {
      this.deciding.waiting?.(
        `whether ${what} was switched: a request may still take effect for ${Math.ceil((knownAt - Date.now()) / 1_000)} s; the fence stays up`,
      );
      // Asked after that moment, the answer is the last word.
      const isLast = Date.now() > knownAt;
      const pointsAt = await look().catch(() => undefined);
      if (pointsAt === 'to') return;
      // What names neither side was changed by somebody, before our request or after it.
      if (isLast && (pointsAt === 'from' || pointsAt === 'held')) {
        const waited = Math.round((Date.now() - waitsSince) / 1_000);
        throw new SwitchRefused(`${said}; a request may have been taken, so it was looked at for ${waited} s more`);
      }
      if (isLast) break;
      await sleep(LONGEST_WAIT_MS);
    }
    throw ApplicationFailure.retryable(
      `Nobody knows yet whether traffic is switched, so the fence stays up: ${said}`,
      SWITCH_UNCONFIRMED,
    );
  }
}
