import type { TrafficSwitch, TrafficType } from '../../plan/plan';
import type { Dependencies, MigrationRef } from '../dependencies';
import type { Endpoint } from '../postgres/session';

/** Between what a switch switches. In the way back, `from` is the target of the plan. */
export interface SwitchPlace {
  readonly deps: Dependencies;
  readonly ref: MigrationRef;
  /** Where applications are. */
  readonly from: Endpoint;
  /** Where they shall be; absent as long as there is no target. */
  readonly to?: Endpoint;
}

export interface ReadySwitchPlace extends SwitchPlace {
  readonly to: Endpoint;
}

/**
 * Where a switch points.
 * - `held`: nowhere, since a fence of ours took it away from `from`
 * - `neither`: somewhere else, so that somebody changed it
 * - `unread`: it could not be read this time
 * - `unknown`: nobody can ever read it
 */
export type PointsAt = 'from' | 'to' | 'held' | 'neither' | 'unread' | 'unknown';

/** What a switch looks like from outside; nothing is changed. */
export interface SwitchLook {
  readonly what: string;
  readonly pointsAt: PointsAt;
  /** What the approver should know. */
  readonly findings: readonly string[];
  /** Why it can't be switched now; for the preflight, a block. */
  readonly red: readonly string[];
}

/** What the switch that decides, which is the first, is made with. */
export interface Deciding {
  /** Throws when the budget of the pause is over: then nothing more is sent. */
  readonly mayGoOn?: () => void;
  /** Throws when the record of the pause is gone, so that this one is of the past. */
  readonly isRecorded?: () => Promise<void>;
  /** When an attempt before this one may have sent a request, clock of this process in milliseconds; absent: none has. */
  readonly sentSince?: number;
  /** Told what is waited for, for the heartbeats. */
  readonly waiting?: (what: string) => void;
}

/** A traffic switch of which everything is known but the moment. */
export interface PreparedSwitch {
  /** What the report calls it. */
  readonly what: string;
  /** Endpoints, never the whole value: that may hold a password. */
  readonly from: string;
  readonly to: string;
  /** It points at `to` already. */
  readonly done: boolean;
  /**
   * Reads what is to be rewritten once more, right before it is: somebody may have changed it since it was prepared, and what they
   * wrote stays. Absent where nothing that was read is written back, or where it is read in that moment anyway.
   * @throws ApplicationFailure TrafficRefused when it names neither side any more
   */
  lookAgain?(inTime: { abortSignal: AbortSignal }): Promise<void>;
  /**
   * Points it at `to` and reads it back. May run twice.
   * @throws SwitchRefused when it did not take effect, for sure
   * @throws ApplicationFailure SWITCH_UNCONFIRMED when it took effect, or may have, and does not read back
   */
  apply(deciding?: Deciding): Promise<void>;
  /** Releases what `prepare` opened. */
  close?(): Promise<void>;
}

/**
 * One way to move traffic. There is no undo of its own: the way back is the same switch with `from` and `to` exchanged.
 */
export interface SwitchKind<Entry extends TrafficSwitch = TrafficSwitch> {
  /**
   * It can't be read, so nobody can tell afterwards whether it took effect: where it is the first, the pause counts as
   * switched from the moment that it is recorded.
   */
  readonly opaque: boolean;
  /**
   * The bound of the store, in milliseconds: so long after a request was sent it may take effect, and may take to show. When it is over,
   * what is read is true. Infinity: nobody can ever read it.
   */
  readonly decidedWithinMs: number;
  look(place: SwitchPlace, entry: Entry): Promise<SwitchLook>;
  /** Before the pause, so that inside it only what can't be done before is left. */
  prepare(place: ReadySwitchPlace, entry: Entry): Promise<PreparedSwitch>;
}

export type SwitchKinds = { readonly [Type in TrafficType]: SwitchKind<Extract<TrafficSwitch, { type: Type }>> };

/** Type of the failure of a switch that was taken but that does not read back yet. */
export const SWITCH_UNCONFIRMED = 'SwitchUnconfirmed';

export const endpointText = ({ address, port }: Endpoint): string => `${address}:${port}`;

/** It was refused and has not taken effect, for sure: a pause may still be given up. Anything else thrown leaves that open. */
export class SwitchRefused extends Error {
  override readonly name = 'SwitchRefused';
}
