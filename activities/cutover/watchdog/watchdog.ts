import type { CutOverInput } from '../cut-over-input';
import type { OurSessions } from '../../postgres/ours';

/** What a watchdog has to know of the pause that it guards; plain JSON, without secrets. */
export interface WatchOrder {
  readonly input: CutOverInput;
  /** The activity, the same for all its attempts: a later attempt learns that its pause was ended. */
  readonly activity: string;
  /** Names this attempt in the record of who owns the pause. */
  readonly owner: string;
  /** Sessions of this attempt. */
  readonly sessions: OurSessions;
  /** An attempt before this one may have made the first switch. */
  readonly mayBeSwitched: boolean;
  /** How long the fence had been up when this attempt came, in milliseconds. */
  readonly alreadyMs: number;
}

/** Guards one attempt of a pause from outside of its process. */
export interface Watchdog {
  /**
   * Returns when the watchdog is on guard. From then on it ends the pause by itself: at once when this process ends, and when the budget is
   * over and it hears nothing of this process any more.
   * @throws Error when it can't be had: then there must be no pause
   */
  guard(order: WatchOrder): Promise<void>;
  /**
   * To be awaited right before the point of no return: from here on the watchdog asks the world what became of the switch before it acts.
   * @throws Error when the watchdog is gone: then the attempt must not go on
   */
  pastReturn(): Promise<void>;
  /** The attempt has come to its end: nothing is left to guard. */
  done(): void;
  /** The attempt failed, and may have left the fence up: the watchdog looks now whether there is anything to guard. */
  failed(): void;
}

/** Begins to start one: it loads while the pause is prepared. */
export type StartWatchdog = () => Watchdog;
