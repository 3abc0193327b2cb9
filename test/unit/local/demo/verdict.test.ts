import type { Note } from '../../../../local/app/notes';
import type { Contents } from '../../../../local/demo/verdict/contents';
import { summarise } from '../../../../local/demo/verdict/expectations';
import { noFindings } from '../../../../local/demo/verdict/judge-rows';
import { longestGapMs } from '../../../../local/demo/verdict/pause';
import { isTaken } from '../../../../local/demo/verdict/sequences';
import { verdictTable } from '../../../../local/demo/verdict/table';
import { verdictOf, type VerdictInput } from '../../../../local/demo/verdict/verdict';

async function* notesOf(...notes: Partial<Note>[]): AsyncGenerator<Note> {
  for (const note of notes) {
    yield { outcome: 'acknowledged', at: 1, connection: 0, endpoint: 'old:1', database: 'shop', writes: [], ...note };
  }
}

/** Writes to the old server came before. */
const afterOld = ({ endpoint }: Pick<Note, 'endpoint'>): boolean => endpoint !== 'old:1';

describe('summarise', () => {
  it('keeps the last acknowledged state of a row, and what a lost commit may have made of it', async () => {
    const { rows, acknowledged, unknown, failed } = await summarise(
      notesOf(
        { writes: [['t', 'insert', 'a', 1]] },
        { writes: [['t', 'update', 'a', 2]] },
        { outcome: 'failed', writes: [['t', 'delete', 'a', 2]] },
        { outcome: 'unknown', writes: [['t', 'update', 'a', 3]] },
        { outcome: 'unknown', writes: [['t', 'insert', 'b', 1]] },
        { outcome: 'unknown', writes: [['t', 'delete', 'c', 7]] },
        { endpoint: 'new:1', writes: [['t', 'delete', 'd', 4]] },
      ),
      afterOld,
    );
    expect({ acknowledged, unknown, failed }).toEqual({ acknowledged: 3, unknown: 3, failed: 1 });
    expect(Object.fromEntries(rows.get('shop.t') ?? [])).toEqual({
      a: { acknowledged: 2, possible: new Set([2, 3]), afterCutover: false },
      b: { acknowledged: undefined, possible: new Set(['absent', 1]), afterCutover: false },
      c: { acknowledged: undefined, possible: new Set([7, 'absent']), afterCutover: false },
      d: { acknowledged: 'absent', possible: new Set(), afterCutover: true },
    });
  });

  it('counts unique violations of the target only', async () => {
    const failure = { outcome: 'failed', code: '23505', constraint: 'orders_pkey' } as const;
    await expect(summarise(notesOf(failure), afterOld)).resolves.toMatchObject({ violated: new Set() });
    const after = await summarise(notesOf({ ...failure, endpoint: 'new:1' }), afterOld);
    expect([...after.violated]).toEqual(['orders_pkey']);
  });

  it('notes when the application saw an error, whatever it was; only transactions count as transactions', async () => {
    const outcomes = ['refused', 'failed', 'acknowledged', 'lost', 'unknown'] as const;
    const summary = await summarise(notesOf(...outcomes.map((outcome, at) => ({ outcome, at }))), afterOld);
    expect(summary).toMatchObject({ acknowledged: 1, failed: 1, unknown: 1, errorsAt: [0, 1, 3, 4] });
  });
});

describe('longestGapMs', () => {
  it.each([
    ['inside', [0, 10, 20, 520, 530], 15, 525, 500],
    ['that began before the approval', [0, 300, 310], 100, 305, 300],
    ['that ends after the end', [0, 10, 400], 5, 100, 390],
    ['that never ended', [0, 10], 5, 1000, 990],
    ['that is over before', [0, 900, 910, 920], 905, 920, 10],
    ['without any write', [], 100, 300, 200],
  ])('finds a gap %s', (_, acknowledgedAt, from, to, expected) => {
    expect(longestGapMs(acknowledgedAt, from, to)).toBe(expected);
  });
});

describe('isTaken', () => {
  it.each([
    [5n, 4n, 1n, false],
    [5n, 5n, 1n, true],
    [5n, undefined, 1n, false],
    [-5n, -4n, -1n, false],
    [-4n, -4n, -1n, true],
  ])('next %s, number %s, step %s: %s', (next, number, increment, expected) => {
    expect(isTaken(next, number, increment)).toBe(expected);
  });
});

describe('verdictOf', () => {
  const notes = {
    rows: new Map(),
    acknowledged: 10,
    failed: 1,
    unknown: 0,
    acknowledgedAt: [1000, 1100],
    errorsAt: [400, 1000],
    violated: new Set<string>(),
  };
  const contents: Contents = { ...noFindings(), rowsCompared: 5, tables: 1, behind: [], notes };
  const silent = { ...notes, errorsAt: [] };
  const quiet: Contents = { ...contents, notes: silent };
  const good: VerdictInput = {
    strategy: 'snapshot-cdc',
    contents,
    durationSeconds: 12.34,
    source: { encrypted: false },
    target: { encrypted: true, kmsKeyId: 'arn:key' },
    wantedKeyArn: 'arn:key',
    approvedAt: 1000,
    switchedAt: 1050,
    workflowCompleted: true,
    refused: [],
    proof: { rows: 7, tables: 2, differences: [], provenAt: new Date(3_550).toISOString() },
    historyEvents: 200,
    historyBytes: 1000,
    pauseTimeline: [{ step: 'fence', ms: 3 }],
  };

  it('passes what is right', () => {
    expect(verdictOf(good)).toEqual({
      strategy: 'snapshot-cdc',
      passed: true,
      durationSeconds: 12.3,
      source: { encrypted: false },
      target: { encrypted: true, kmsKeyId: 'arn:key' },
      writes: { acknowledged: 10, missing: 0, duplicated: 0, stale: 0, failed: 1 },
      refusedCalls: [],
      writePauseMs: 100,
      pooled: false,
      clientErrors: 1,
      clientErrorsInAll: 2,
      judgedOn: 'target',
      abortedPause: null,
      rollbackTimeline: null,
      proof: { rows: 7, tables: 2, seconds: 2.5, differences: 0 },
      tables: 1,
      rowsCompared: 5,
      mismatches: 0,
      sequencesBehind: 0,
      historyEvents: 200,
      historyBytes: 1000,
      pauseTimeline: [{ step: 'fence', ms: 3 }],
    });
    const table = verdictTable(verdictOf(good), []);
    expect(table).toMatch(/PASSED$/);
    expect(table).toContain('7 rows in 2 tables, identical, proven in 2.5 s after the cutover');
  });

  it.each<[string, Partial<VerdictInput>]>([
    ['a pooler, and errors before the cutover only', { pooled: true, errorsSince: 1001 }],
    ['a pooler that hid it all', { pooled: true, contents: quiet }],
    ['a pause that was given up in time', { abortedPause: { budgetMs: 2_000, writePauseMs: 3_000, reason: 'budget' } }],
    ['a way back', { rollbackTimeline: [{ step: 'drain', ms: 4 }] }],
  ])('passes %s', (_, change) => {
    const verdict = verdictOf({ ...good, ...change });
    expect(verdict).toMatchObject({ passed: true, judgedOn: change.rollbackTimeline ? 'source' : 'target' });
    expect(verdictTable(verdict, [])).not.toContain('WRONG');
  });

  it.each<[string, Partial<VerdictInput>]>([
    ['a missing row', { contents: { ...contents, missing: 1 } }],
    ['a doubled row', { contents: { ...contents, duplicated: 1 } }],
    ['a stale row', { contents: { ...contents, stale: 1 } }],
    ['a row that differs', { contents: { ...contents, mismatches: 1 } }],
    ['a sequence behind', { contents: { ...contents, behind: ['s'] } }],
    ['nothing compared', { contents: { ...contents, rowsCompared: 0 } }],
    ['nothing written', { contents: { ...contents, notes: { ...notes, acknowledged: 0 } } }],
    ['a target in clear', { target: { encrypted: false, kmsKeyId: null } }],
    ['another key', { target: { encrypted: true, kmsKeyId: 'arn:other' } }],
    ['a source that was encrypted already', { source: { encrypted: true } }],
    ['a migration without a proof', { proof: undefined }],
    ['a proof of nothing', { proof: { rows: 0, tables: 0, differences: [] } }],
    ['a workflow that did not complete', { workflowCompleted: false }],
    ['a call that the policy forgets', { refused: ['rds:RebootDBInstance on arn:aws:rds:db:app-db'] }],
    ['an error seen through a pooler', { pooled: true }],
    [
      'a long pause behind a pooler',
      { pooled: true, contents: { ...quiet, notes: { ...silent, acknowledgedAt: [0, 2_000] } } },
    ],
    ['an aborted pause that lasted', { abortedPause: { budgetMs: 2_000, writePauseMs: 3_001, reason: 'budget' } }],
    [
      'an aborted pause whose gate stayed shut',
      { abortedPause: { budgetMs: 2_000, writePauseMs: 2_500, reason: null } },
    ],
  ])('does not pass %s', (_, fault) => {
    const verdict = verdictOf({ ...good, ...fault });
    expect(verdict.passed).toBe(false);
    expect(verdictTable(verdict, ['why'])).toMatch(/why\nFAILED$/);
  });
});
