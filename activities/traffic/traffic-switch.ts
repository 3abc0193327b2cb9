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

/** Where a switch points; `unknown`: it can't be read. */
export type PointsAt = 'from' | 'to' | 'neither' | 'unknown';

/** What a switch looks like from outside; nothing is changed. */
export interface SwitchLook {
  readonly what: string;
  readonly pointsAt: PointsAt;
  /** What the approver should know. */
  readonly findings: readonly string[];
  /** Why it can't be switched now; for the preflight, a block. */
  readonly red: readonly string[];
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
   * Points it at `to` and reads it back. May run twice.
   * @param mayGoOn of the first switch: throws when the budget of the pause is over; to be asked as long as nothing is decided
   * @param isRecorded of the first switch: throws when the record of the pause is gone, so that this one is of the past
   * @throws ApplicationFailure SWITCH_UNCONFIRMED when it took effect, or may have, and does not read back
   */
  apply(mayGoOn?: () => void, isRecorded?: () => Promise<void>): Promise<void>;
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
