import { afterPageHeader, bytesToLsn, compareLsn, type Lsn, lsnToBytes, type WalLayout } from './lsn';
import { DEPENDS_ON, type PositionEvidence } from './position';

export interface PositionLimits {
  /** The latest consistent point of our slots: the position can't lie before it. */
  readonly notBefore: Lsn;
  /** `pg_current_wal_flush_lsn()` of the source, read after the restore: the position can't lie beyond it. */
  readonly notAfter: Lsn;
  /** Of both servers: the clone has it from the source. */
  readonly wal: WalLayout;
}

export type PositionDecision = { readonly lsn: Lsn } | { readonly disputed: string };

/**
 * The position to hand to `pg_replication_origin_advance`, or why there is none.
 *
 * Rule: at least two sources of different kind that don't depend on each other; every exact value is the same; it lies in
 * (after, upTo] of every interval, not before the slots' consistent point and not beyond what the source has written. The
 * decoder skips a transaction only if the *start* of its commit record is below the origin's LSN
 * (`SnapBuildXactNeedsSkip`), so the end of the last replayed record neither loses nor repeats one.
 * @see docs/how-it-works.md, "The position"
 */
export function decidePosition(found: readonly PositionEvidence[], limits: PositionLimits): PositionDecision {
  const evidence = found.map((one) => firm(one, limits.wal)).filter(isTelling);
  const dispute = tooFewKinds(evidence) ?? contradiction(evidence);
  if (dispute !== undefined) return { disputed: dispute };
  const named = theValue(evidence);
  if (named === undefined) return { disputed: 'no source names an LSN or an upper bound' };
  const outside = outOfBounds(named, evidence, limits);
  return outside === undefined ? { lsn: bounded(named, evidence) } : { disputed: outside };
}

/** One spelling for every LSN, and no lower bound that may be too far. */
function firm({ after, upTo, exactly, lastRecord, ...one }: PositionEvidence, wal: WalLayout): PositionEvidence {
  return {
    ...one,
    ...(after && !one.tentative ? { after } : {}),
    ...(upTo ? { upTo: afterPageHeader(upTo, wal) } : {}),
    ...(exactly ? { exactly: afterPageHeader(exactly, wal) } : {}),
    ...(lastRecord ? { lastRecord } : {}),
  };
}

/** A source that says nothing confirms nothing. */
const isTelling = ({ after, upTo, exactly }: PositionEvidence): boolean => (after ?? upTo ?? exactly) !== undefined;

const dependsOn = (one: PositionEvidence, other: PositionEvidence): boolean =>
  !one.standsAlone && DEPENDS_ON[one.kind].includes(other.kind);

function tooFewKinds(evidence: readonly PositionEvidence[]): string | undefined {
  const kinds = [...new Set(evidence.map(({ kind }) => kind))];
  if (kinds.length < 2) {
    const which = kinds.length === 1 ? ` (${kinds[0]})` : '';
    return `only ${kinds.length} kind of evidence${which}; two of different kind must agree`;
  }
  const independent = evidence.some((one) =>
    evidence.some((other) => one.kind !== other.kind && !dependsOn(one, other) && !dependsOn(other, one)),
  );
  if (independent) return undefined;
  return `${kinds.join(' and ')} are one kind of evidence here, because one of them relies on the other; two that don't must agree`;
}

function contradiction(evidence: readonly PositionEvidence[]): string | undefined {
  const exact = [...new Set(evidence.flatMap(({ exactly }) => exactly ?? []))];
  if (exact.length > 1) return `the sources name different LSNs: ${exact.join(', ')}`;
  const last = earliest(evidence.flatMap(({ lastRecord }) => lastRecord ?? []));
  const after = latest(evidence.flatMap((one) => one.after ?? []));
  if (last !== undefined && after !== undefined && compareLsn(after, last) > 0) {
    return `the last record that the clone has replayed is said to begin at ${last}, but it has replayed ${after}, too`;
  }
  const between = evidence.find(({ commitBetween }) => commitBetween !== undefined)?.commitBetween;
  if (between !== undefined) {
    return `a transaction of the source committed at ${between}, between the LSNs that the sources name`;
  }
  return undefined;
}

/** The xid split can confirm a value, never be one: it knows transactions, not records. */
function theValue(evidence: readonly PositionEvidence[]): Lsn | undefined {
  const exact = evidence.flatMap(({ exactly }) => exactly ?? [])[0];
  const shown = earliest(evidence.filter(({ kind }) => kind !== 'xid-split').flatMap(({ upTo }) => upTo ?? []));
  return exact ?? shown ?? behindLast(evidence);
}

/**
 * The byte behind the start of the last replayed record. It is as right as the end of that record, and can't be too far
 * (docs/how-it-works.md, "The position"). An xid split alone knows no last record.
 */
function behindLast(evidence: readonly PositionEvidence[]): Lsn | undefined {
  const knowsRecords = evidence.some(({ kind, after }) => kind !== 'xid-split' && after !== undefined);
  const after = latest(evidence.flatMap((one) => one.after ?? []));
  return knowsRecords && after !== undefined ? bytesToLsn(lsnToBytes(after) + 1n) : undefined;
}

function outOfBounds(named: Lsn, evidence: readonly PositionEvidence[], limits: PositionLimits): string | undefined {
  const after = latest(evidence.flatMap((one) => one.after ?? []));
  const upTo = earliest(evidence.flatMap((one) => one.upTo ?? []));
  const notBefore = afterPageHeader(limits.notBefore, limits.wal);
  const notAfter = afterPageHeader(limits.notAfter, limits.wal);
  if (after !== undefined && compareLsn(named, after) <= 0) {
    return `${named} is not beyond ${after}, which the clone has replayed`;
  }
  if (upTo !== undefined && compareLsn(named, upTo) > 0) {
    return `${named} is beyond ${upTo}, which the clone has not replayed`;
  }
  if (compareLsn(named, notBefore) < 0) {
    return `${named} lies before ${limits.notBefore}, where our slots begin`;
  }
  if (compareLsn(named, notAfter) > 0) {
    return `${named} lies beyond ${limits.notAfter}, the end of the source's WAL: a position of another server`;
  }
  return undefined;
}

/** A value that nobody who knows records bounds from above could be too far without anybody noticing. */
function bounded(named: Lsn, evidence: readonly PositionEvidence[]): Lsn {
  const isBounded = evidence.some(({ kind, upTo }) => kind !== 'xid-split' && upTo !== undefined);
  return isBounded ? named : (behindLast(evidence) ?? named);
}

function latest(lsns: readonly Lsn[]): Lsn | undefined {
  return lsns.reduce<Lsn | undefined>((a, b) => (a === undefined || compareLsn(a, b) < 0 ? b : a), undefined);
}

function earliest(lsns: readonly Lsn[]): Lsn | undefined {
  return lsns.reduce<Lsn | undefined>((a, b) => (a === undefined || compareLsn(a, b) > 0 ? b : a), undefined);
}
