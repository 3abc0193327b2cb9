import type { Lsn } from './lsn';

/**
 * Kinds of evidence for the position at which a clone ends. Two that don't depend on each other must agree.
 * - `seed-function`: `rds_tools.logical_seed_lsn()` of the restored instance
 * - `recovery-log`: the first recovery after the restore, in the server log of the restored instance
 * - `walinspect`: where the WAL of the clone and the WAL of the source part (15+)
 * - `xid-split`: transactions that the source's slot decodes against the clone's commit log
 */
export type PositionKind = 'seed-function' | 'recovery-log' | 'walinspect' | 'xid-split';

/**
 * Which kinds a kind takes a fact from. A kind that used such a fact is wrong whenever the other one is, so the two count as
 * one. `xid-split` learns from `walinspect` with which transaction id the clone's own transactions begin.
 * @see docs/decisions/position-by-two-kinds-of-evidence.md
 */
export const DEPENDS_ON: Readonly<Record<PositionKind, readonly PositionKind[]>> = {
  'seed-function': [],
  'recovery-log': [],
  walinspect: [],
  'xid-split': ['walinspect'],
};

/**
 * What one source says. Any LSN in (`after`, `upTo`] is right as far as it knows: `after` is the start of the last
 * replayed commit or record, `upTo` the start of the first record or commit that the clone does not have.
 */
export interface PositionEvidence {
  readonly kind: PositionKind;
  /** Exclusive lower bound. */
  readonly after?: Lsn;
  /** Inclusive upper bound. */
  readonly upTo?: Lsn;
  /** The one LSN that this source names as the end, when it names one. */
  readonly exactly?: Lsn;
  /** Start of the very last record that the clone has replayed: no other source may have seen a later one there. */
  readonly lastRecord?: Lsn;
  /** Its lower bound may be too far, and doesn't count. Its upper bound does. */
  readonly tentative?: boolean;
  /** It used no fact of the kinds that it may depend on, or would say the same without it. */
  readonly standsAlone?: boolean;
  /** `xid-split` only: a commit of the source between the LSNs that the other sources name, so they can't all be right. */
  readonly commitBetween?: Lsn;
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
