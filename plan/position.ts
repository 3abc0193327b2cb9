import type { Lsn } from './lsn';

/**
 * Kinds of evidence for the position at which a clone ends. Two of *different* kind must agree.
 * - `seed-function`: `rds_tools.logical_seed_lsn()` of the restored instance
 * - `recovery-log`: the first recovery in the server log of the restored instance
 * - `walinspect`: the WAL of the clone itself, while the copied slot still pins it (15+)
 * - `xid-split`: transactions that the source's slot decodes against the clone's commit log
 */
export type PositionKind = 'seed-function' | 'recovery-log' | 'walinspect' | 'xid-split';

/**
 * What one source says. Any LSN in (`after`, `upTo`] is right as far as it knows: `after` is the start of the last
 * replayed commit or record, `upTo` the start of the first record that the clone does not have.
 */
export interface PositionEvidence {
  readonly kind: PositionKind;
  /** Exclusive lower bound. */
  readonly after?: Lsn;
  /** Inclusive upper bound. */
  readonly upTo?: Lsn;
  /** The one LSN that this source names as the end, when it names one. */
  readonly exactly?: Lsn;
  /** It may confirm the others, but not contradict them. */
  readonly tentative?: boolean;
  /** `walinspect` only: the first transaction that the clone would give out itself. */
  readonly firstOwnXid?: number;
  /** Where the value was found: the log line, the function, the transaction. */
  readonly found: string;
}

/** A source that could not be asked, and why. */
export interface PositionSilence {
  readonly kind: PositionKind;
  readonly why: string;
}

export interface Position {
  readonly lsn: Lsn;
  readonly evidence: readonly PositionEvidence[];
  readonly silent: readonly PositionSilence[];
}

/** The slot of one database on the source. */
export interface SlotFacts {
  readonly database: string;
  readonly slot: string;
  /** LSN from which the slot decodes (`confirmed_flush_lsn` right after its creation). */
  readonly consistentPoint: Lsn;
  /** Fingerprint of the database's schema, grants and settings when the slot was there (docs/how-it-works.md, "Drift"). */
  readonly schema?: string;
}
