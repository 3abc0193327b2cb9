import type { WatchOrder } from '../../activities/cutover/watchdog/watchdog';

/** First line that the worker writes into the watchdog's stdin. */
export interface Orders {
  readonly order: WatchOrder;
  /** Number of the worker's process, which is the watchdog's parent as long as it is there. */
  readonly worker: number;
  readonly rdsCaBundle: string;
  /** The worker's default region. */
  readonly region: string | undefined;
}

/** Every line after that. */
export type Word = 'beat' | 'past return' | 'done' | 'failed';

/** What the watchdog writes to stdout, once it is on guard. */
export const READY = 'ready';

/** Between two beats of the worker, in milliseconds. */
export const BEAT_EVERY_MS = 1_000;
