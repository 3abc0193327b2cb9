import type { CutOverInput } from '../../activities/cutover/cut-over-input';
import type { Moment } from './steps';

/** Where a worker of the bench finds its AWS. */
export interface WorkerOptions {
  readonly endpoint: string;
  readonly region: string;
  readonly caFile: string;
}

export type Order =
  | {
      readonly what: 'run';
      readonly input: CutOverInput;
      /** The same for all attempts of a pause. */
      readonly pause: string;
      readonly attempt: number;
      readonly hold?: HoldAt;
    }
  /** The held statement goes on, or fails; or it fails, and is carried out a while later; or so, and those after it are refused. */
  | { readonly what: 'go on' | 'fail' | 'late' | 'late, then refused' | 'cancel' };

/** Addresses tell the sides apart. */
export interface HoldAt extends Moment {
  readonly hosts: { readonly from: string; readonly to: string };
}

/** How an attempt of the pause ended. */
export type Outcome =
  | { readonly ended: 'switched'; readonly pauseMs: number; readonly wayBackFrom?: string }
  | { readonly ended: 'given up'; readonly pauseMs: number; readonly reason: string }
  | { readonly ended: 'error'; readonly message: string; readonly retryable: boolean }
  | { readonly ended: 'killed' };

export type Report =
  { readonly what: 'ready' | 'at the moment' } | { readonly what: 'ended'; readonly outcome: Outcome };
