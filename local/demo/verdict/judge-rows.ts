import type { Expectation, RowState } from './expectations';
import type { Row, Rows } from './tables';

/** What was found in one table, or in several taken together. */
export interface RowFindings {
  /** Acknowledged, but not on the target. */
  missing: number;
  /** Rows of the target that are there more often than once. */
  duplicated: number;
  /** An older version is on the target, or a row whose deletion was acknowledged. */
  stale: number;
  rowsCompared: number;
  /** Rows that differ between source and target, or after the cutover between the notes and the target. */
  mismatches: number;
  /** The first few, for people. */
  readonly examples: string[];
}

const EXAMPLES = 20;

export function noFindings(): RowFindings {
  return { missing: 0, duplicated: 0, stale: 0, rowsCompared: 0, mismatches: 0, examples: [] };
}

/**
 * Judges one table. A row that was not written after the cutover must be the same on both sides; one that was must be what the
 * notes say. Whatever was acknowledged must be there in either case.
 */
export function judgeRows(
  table: string,
  source: Rows,
  target: Rows,
  expectations: ReadonlyMap<string, Expectation>,
  findings: RowFindings,
): void {
  const found = (
    what: 'missing' | 'duplicated' | 'stale' | 'mismatches',
    uid: string,
    detail: string,
    by = 1,
  ): void => {
    findings[what] += by;
    if (findings.examples.length < EXAMPLES) findings.examples.push(`${what}: ${table} ${uid}: ${detail}`);
  };
  const uids = new Set([...source.keys(), ...target.keys(), ...expectations.keys()]);
  for (const uid of uids) {
    const [before, after, expectation] = [source.get(uid) ?? [], target.get(uid) ?? [], expectations.get(uid)];
    findings.rowsCompared += Math.max(before.length, after.length);
    if (after.length > 1) found('duplicated', uid, `${after.length} times on the target`, after.length - 1);

    const state: RowState = after.length === 0 ? 'absent' : Math.max(...after.map(({ version }) => version));
    const allowed = expectation ? allowedStates(expectation) : undefined;
    if (!expectation?.afterCutover) {
      if (!sameRows(before, after)) found('mismatches', uid, `source ${describe(before)}, target ${describe(after)}`);
    } else if (!allowed?.has(state)) {
      found('mismatches', uid, `notes say ${[...(allowed ?? [])].join(' or ')}, target ${describe(after)}`);
    }
    if (!allowed || allowed.has(state) || expectation?.acknowledged === undefined) continue;
    const { acknowledged } = expectation;
    if (state === 'absent') found('missing', uid, `version ${acknowledged} was acknowledged`);
    else if (acknowledged === 'absent') found('stale', uid, `version ${state} is there, its deletion was acknowledged`);
    else if (state < acknowledged) found('stale', uid, `version ${state} is there, ${acknowledged} was acknowledged`);
  }
}

function allowedStates({ acknowledged, possible }: Expectation): ReadonlySet<RowState> {
  return new Set(acknowledged === undefined ? possible : [acknowledged, ...possible]);
}

function sameRows(one: readonly Row[], other: readonly Row[]): boolean {
  const digests = (rows: readonly Row[]): string =>
    rows
      .map(({ digest }) => digest)
      .sort()
      .join();
  return one.length === other.length && digests(one) === digests(other);
}

function describe(rows: readonly Row[]): string {
  if (rows.length === 0) return 'nothing';
  return rows.map(({ version, digest }) => `version ${version} (${digest.slice(0, 8)})`).join(' and ');
}
