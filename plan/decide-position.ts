import { bytesToLsn, compareLsn, type Lsn, lsnToBytes } from './lsn';
import type { PositionEvidence } from './position';

export interface PositionLimits {
  /** The latest consistent point of our slots: the position can't lie before it. */
  readonly notBefore: Lsn;
  /** `pg_current_wal_flush_lsn()` of the source, read after the restore: the position can't lie beyond it. */
  readonly notAfter: Lsn;
}

export type PositionDecision = { readonly lsn: Lsn } | { readonly disputed: string };

const later = (a: Lsn, b: Lsn): Lsn => (compareLsn(a, b) >= 0 ? a : b);
const earlier = (a: Lsn, b: Lsn): Lsn => (compareLsn(a, b) <= 0 ? a : b);

/**
 * The position to hand to `pg_replication_origin_advance`, or why there is none.
 *
 * Rule: at least two sources of different kind; every exact value is the same; it lies in (after, upTo] of every
 * interval, not before the slots' consistent point and not beyond what the source has written. The decoder skips a
 * transaction only if the *start* of its commit record is below the origin's LSN (`SnapBuildXactNeedsSkip`), so the end
 * of the last replayed record neither loses nor repeats one.
 * @see docs/how-it-works.md, "The position"
 */
export function decidePosition(evidence: readonly PositionEvidence[], limits: PositionLimits): PositionDecision {
  const all = decide(evidence, limits);
  const firm = evidence.filter(({ tentative }) => !tentative);
  return 'lsn' in all || firm.length === evidence.length ? all : decide(firm, limits);
}

function decide(evidence: readonly PositionEvidence[], limits: PositionLimits): PositionDecision {
  // A source that says nothing confirms nothing.
  const telling = evidence.filter(({ after, upTo, exactly }) => after ?? upTo ?? exactly);
  const kinds = new Set(telling.map(({ kind }) => kind));
  if (kinds.size < 2) {
    return { disputed: `only ${kinds.size} kind of evidence; two of different kind must agree` };
  }
  const exact = [...new Set(evidence.flatMap(({ exactly }) => exactly ?? []))];
  if (exact.length > 1) return { disputed: `the sources name different LSNs: ${exact.join(', ')}` };

  const after = evidence
    .flatMap((one) => one.after ?? [])
    .reduce<Lsn | undefined>((a, b) => (a ? later(a, b) : b), undefined);
  const earliestEnd = (some: readonly PositionEvidence[]): Lsn | undefined =>
    some.flatMap((one) => one.upTo ?? []).reduce<Lsn | undefined>((a, b) => (a ? earlier(a, b) : b), undefined);
  const upTo = earliestEnd(evidence);
  // The byte behind the start of the last record is as right as the end of that record, and can't be too far
  // (docs/how-it-works.md, "The position").
  const behindLast = after === undefined ? undefined : bytesToLsn(lsnToBytes(after) + 1n);
  // The xid split can confirm a value, never be one: it knows transactions, not records.
  const shown = earliestEnd(evidence.filter(({ kind }) => kind !== 'xid-split'));
  const named = exact[0] ?? shown ?? behindLast;
  if (named === undefined) return { disputed: 'no source names an LSN or an upper bound' };
  if (after !== undefined && compareLsn(named, after) <= 0) {
    return { disputed: `${named} is not beyond ${after}, which the clone has replayed` };
  }
  if (upTo !== undefined && compareLsn(named, upTo) > 0) {
    return { disputed: `${named} is beyond ${upTo}, which the clone has not replayed` };
  }
  if (compareLsn(named, limits.notBefore) < 0) {
    return { disputed: `${named} lies before ${limits.notBefore}, where our slots begin` };
  }
  if (compareLsn(named, limits.notAfter) > 0) {
    return {
      disputed: `${named} lies beyond ${limits.notAfter}, the end of the source's WAL: a position of another server`,
    };
  }
  // A value that nothing bounds from above could be too far without anybody noticing.
  return { lsn: upTo === undefined ? (behindLast ?? named) : named };
}
