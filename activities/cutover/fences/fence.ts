import type { FenceEntry, FenceType } from '../../../plan/plan';
import type { Dependencies, MigrationRef } from '../../dependencies';

/** Any kind but the SQL fence, which the pause makes itself, and the last lock, which comes after the proof (activities/rds/stop-source.ts). */
export type OtherFenceType = Exclude<FenceType, 'sql' | 'stop-instance'>;
export type EntryOf<Type extends FenceType> = Extract<FenceEntry, { type: Type }>;

/** The pause that a fence is raised in. */
export interface PauseClock {
  /** Throws when the pause is to be given up: its budget ended, or Temporal does not wait for it any more. */
  mayGoOn(): void;
  /** What is left of the budget, in milliseconds. */
  remainingMs(): number;
}

/** What the board says of a fence. */
export interface FenceLook {
  /**
   * How it is without the fence, as JSON: what `lower` puts back. Kept in the workflow's history, so no secrets. Undefined: nothing
   * has to be known.
   */
  readonly was?: unknown;
  /** What the approver should know: who is stopped, and how. */
  readonly findings: readonly string[];
  /** Why it can't be raised now. */
  readonly red: readonly string[];
}

/** A fence of one pause. */
export interface Fence {
  /** What the timeline and messages call it. */
  readonly name: string;
  /** It is on the source itself and stays up after the switch; a rollback lowers it. The others let clients go on. */
  readonly staysUp: boolean;
  /** Stops writes and verifies that it holds. May run twice. */
  raise(clock: PauseClock): Promise<void>;
  /** Puts everything back; also where it was never raised. May run twice. Needs nothing of the target. */
  lower(): Promise<void>;
  /** After the switch: lets applications go on, on the target now. Tried until it works. May run twice. */
  release(): Promise<void>;
  /** Ends the connections that `open` made. */
  close(): Promise<void>;
}

/** One way to stop writes. */
export interface FenceKind<Entry extends FenceEntry = FenceEntry> {
  /** Looks, changes nothing; days before, and on the board. */
  look(deps: Dependencies, ref: MigrationRef, entry: Entry): Promise<FenceLook>;
  /** Connects, so that inside the pause only what can't be done before is left. `was`: what the board's look came to. */
  open(deps: Dependencies, ref: MigrationRef, entry: Entry, was: unknown): Promise<Fence>;
}

export type FenceKinds = { readonly [Type in OtherFenceType]: FenceKind<EntryOf<Type>> };
