import { describeHistory, type History, historyOf } from '../../../support/position/history';
import type { RoundResult } from '../../../support/position/round';
import { Sources } from '../../../support/position/sources';
import { isDue } from '../../../support/position/summary';

/** `npm run bench:position` plays 200. */
const ROUNDS = 20;
const FIRST_SEED = 1000;

const sources = new Sources();
afterAll(() => sources.remove());

const QUIET: History = {
  seed: 1,
  major: 16,
  beforeSlot: [],
  beforeSnapshot: ['write'],
  writersDuringSnapshot: 0,
  fullPage: false,
  stoppedImage: false,
  afterSnapshot: ['write', 'write', 'write'],
  killRecoveryAfterMs: undefined,
  clone: ['own transactions'],
  seedFunction: false,
  log: 'without "invalid record length"',
};

const kindsOf = ({ proof }: RoundResult): string[] => [...new Set(proof.evidence.map(({ kind }) => kind))];

describe('what went wrong once', () => {
  it('transactions of the clone itself don’t move the position, where only the log names the last record', async () => {
    const result = await sources.play({ ...QUIET, major: 14 });
    expect(result).toMatchObject({ verdict: 'right' });
    expect(kindsOf(result)).toEqual(['recovery-log', 'xid-split']);
  });

  describe('a source that was restarted between slot and snapshot', () => {
    const restarted: History = { ...QUIET, beforeSnapshot: ['write', 'clean restart', 'write', 'write'] };

    it('is no reason to park while the log is there', async () => {
      const result = await sources.play({ ...restarted, log: 'whole' });
      expect(result).toMatchObject({ verdict: 'right' });
      expect(kindsOf(result)).toEqual(['recovery-log', 'walinspect', 'xid-split']);
    });

    it('parks where the log is gone: what is left depends on each other', async () => {
      const result = await sources.play({ ...restarted, log: 'rotated' });
      expect(result).toMatchObject({ verdict: 'parked' });
      expect(result.detail).toContain('walinspect and xid-split are one kind of evidence here');
      // And what walinspect says is right.
      expect(result.proof.evidence.find(({ kind }) => kind === 'walinspect')?.upTo).toBe(result.truth);
    });
  });
});

describe('the count of rows', () => {
  it('sees a position that is too early, and one that is too far', async () => {
    const early = await sources.play(QUIET, ({ proof }) => proof.limits.notBefore);
    expect(early).toMatchObject({ verdict: 'wrong', detail: expect.stringMatching(/too often|catch up/) as string });
    const far = await sources.play(QUIET, ({ proof }) => proof.limits.notAfter);
    expect(far).toMatchObject({ verdict: 'wrong', detail: expect.stringContaining('lost') as string });
  });
});

describe('whatever happened to source and clone', () => {
  it.each(Array.from({ length: ROUNDS }, (_, n) => historyOf(FIRST_SEED + n)))(
    'the position loses and doubles nothing: seed $seed',
    async (history) => {
      const result = await sources.play(history);
      const repeat = `npm run bench:position -- --rounds 1 --seed ${history.seed}: ${describeHistory(history)}`;
      expect({ repeat, verdict: result.verdict, detail: result.detail }).toMatchObject({
        verdict: isDue(result) ? 'right' : (expect.stringMatching(/^(right|parked)$/) as string),
      });
    },
  );
});
