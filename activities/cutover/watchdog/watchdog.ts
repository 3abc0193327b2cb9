import type { CutOverInput } from '../cut-over-input';

/** What a watchdog has to know of the pause that it guards; plain JSON, without secrets. */
export interface WatchOrder {
  readonly input: CutOverInput;
  /** The activity, the same for all its attempts: a later attempt learns that its pause was ended. */
  readonly activity: string;
  /** Server processes on the source that belong to this attempt's sessions. */
  readonly pids: readonly number[];
  /** How long the fence had been up when this attempt came, in milliseconds. */
  readonly alreadyMs: number;
}

/** Guards one attempt of a pause from outside of its process. */
export interface Watchdog {
  /**
   * Returns when the watchdog is on guard. From then on it ends the pause by itself, when it hears nothing of this process any more and the
   * budget is over.
   * @throws Error when it can't be had: then there must be no pause
   */
  guard(order: WatchOrder): Promise<void>;
  /** The attempt has come to its end: nothing is left to guard. */
  done(): void;
  /** The attempt failed, and may have left the fence up: the watchdog looks now whether there is anything to guard. */
  failed(): void;
}

/** Begins to start one: it loads while the pause is prepared. */
export type StartWatchdog = () => Watchdog;
