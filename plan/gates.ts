/**
 * Points at which the migration waits for a person. `rollback` opens only when one was requested and the plan wants it; `undo-reboot`
 * only during an abort or a rollback, when taking the old parameter group back needs another reboot of the source.
 */
export const GATES = ['reboot-source', 'cutover', 'rollback', 'decommission', 'undo-reboot'] as const;
export type GateName = (typeof GATES)[number];

/** A person's answer to an open gate. */
export interface GateAnswer {
  /** The gate that is answered; an answer for a gate that isn't open changes nothing. */
  readonly gate: GateName;
  /** Who answers; goes into the evidence. */
  readonly by: string;
  readonly comment?: string;
  /**
   * Which opening of the gate is answered (`opening` in the progress). An answer that names another one is refused: what
   * it answered has changed since. Left out: whatever is open.
   */
  readonly opening?: number;
  /** Codes of red lines of the board that the approver waives; the comment says why. */
  readonly waive?: readonly string[];
}

/** Lets a red line of the board pass; goes into the evidence. */
export interface WaiveRequest {
  readonly code: string;
  readonly by: string;
  readonly reason: string;
}

export interface Approval extends GateAnswer {
  /** ISO 8601, workflow time. */
  readonly at: string;
  readonly decision: 'approved' | 'rejected';
}
