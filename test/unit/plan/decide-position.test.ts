import fc from 'fast-check';
import { decidePosition } from '../../../plan/decide-position';
import { bytesToLsn, lsnToBytes } from '../../../plan/lsn';
import type { PositionEvidence, PositionKind } from '../../../plan/position';

const limits = { notBefore: '0/1000', notAfter: '0/9000' };
const evidence = (kind: PositionKind, says: Partial<PositionEvidence>): PositionEvidence => ({
  kind,
  found: 'somewhere',
  ...says,
});
const seed = (exactly: string) => evidence('seed-function', { exactly });
const log = (after: string, end?: string) =>
  evidence('recovery-log', end ? { after, upTo: end, exactly: end } : { after });
const wal = (after: string, end: string) => evidence('walinspect', { after, upTo: end, exactly: end });
const split = (says: { after?: string; upTo?: string }) => evidence('xid-split', says);

const disputed = (...texts: string[]) => ({
  disputed: expect.stringMatching(new RegExp(texts.map((text) => text.replaceAll('/', '\\/')).join('.*'))) as string,
});

describe('the position', () => {
  it('is what all sources name', () => {
    const all = [
      seed('0/5000'),
      log('0/4F00', '0/5000'),
      wal('0/4F00', '0/5000'),
      split({ after: '0/4E00', upTo: '0/6000' }),
    ];
    expect(decidePosition(all, limits)).toEqual({ lsn: '0/5000' });
  });

  it('needs two kinds, and any two will do', () => {
    expect(decidePosition([seed('0/5000'), log('0/4F00', '0/5000')], limits)).toEqual({ lsn: '0/5000' });
    expect(decidePosition([seed('0/5000'), split({ upTo: '0/5000' })], limits)).toEqual({ lsn: '0/5000' });
    expect(decidePosition([log('0/4F00', '0/5000'), split({ after: '0/4F00' })], limits)).toEqual({ lsn: '0/5000' });
  });

  it('is never what the xid split says: that can only confirm', () => {
    expect(decidePosition([log('0/4F00'), split({ after: '0/4E00', upTo: '0/5800' })], limits)).toEqual({
      lsn: '0/4F01',
    });
  });

  it('is not contradicted by a split that the own transactions of the clone may have taken too far', () => {
    const tentative = { ...split({ after: '0/5400', upTo: '0/5800' }), tentative: true };
    expect(decidePosition([seed('0/5000'), log('0/4F00'), tentative], limits)).toEqual({ lsn: '0/4F01' });
    expect(decidePosition([seed('0/5000'), log('0/4F00'), split({ after: '0/5400' })], limits)).toHaveProperty(
      'disputed',
    );
  });

  it('is the byte behind the last replayed record, where nothing bounds the end: a seed that is too far would show nowhere', () => {
    expect(decidePosition([seed('0/5800'), log('0/4F00')], limits)).toEqual({ lsn: '0/4F01' });
  });

  it('is the byte behind the last replayed record, where nothing shows an end', () => {
    expect(decidePosition([log('0/4F00'), split({ after: '0/4E00' })], limits)).toEqual({ lsn: '0/4F01' });
  });

  it.each([
    ['nothing', []],
    ['one source', [seed('0/5000')]],
    ['two sources of one kind', [split({ after: '0/4E00' }), split({ upTo: '0/5800' })]],
  ])('is not proven by %s', (_, found) => {
    expect(decidePosition(found, limits)).toEqual(disputed('kind of evidence'));
  });

  it('is disputed when two sources name different ends, and says both', () => {
    expect(decidePosition([seed('0/5000'), wal('0/4F00', '0/5008')], limits)).toEqual(disputed('0/5000', '0/5008'));
  });

  it('is disputed when nothing names an LSN', () => {
    expect(decidePosition([evidence('seed-function', {}), split({})], limits)).toEqual(disputed('only 0 kind'));
  });

  it.each([
    ['the start of the last replayed record', '0/4F00'],
    ['a record before it', '0/4E00'],
  ])('may not be %s: it would repeat a transaction', (_, lsn) => {
    expect(decidePosition([seed(lsn), log('0/4F00')], limits)).toEqual(disputed(lsn, 'not beyond', '0/4F00'));
  });

  it('may not be beyond a transaction that the clone lacks: it would lose one', () => {
    expect(decidePosition([seed('0/5801'), split({ upTo: '0/5800' })], limits)).toEqual(
      disputed('0/5801', 'beyond', '0/5800'),
    );
  });

  it('holds to the tightest bounds of all sources', () => {
    const loose = split({ after: '0/2000', upTo: '0/8000' });
    const tight = split({ after: '0/4F00', upTo: '0/5000' });
    for (const order of [
      [loose, tight],
      [tight, loose],
    ]) {
      expect(decidePosition([seed('0/5001'), ...order], limits)).toEqual(disputed('0/5001', 'beyond', '0/5000'));
      expect(decidePosition([seed('0/4F00'), ...order], limits)).toEqual(disputed('0/4F00', 'not beyond', '0/4F00'));
    }
  });

  it('may not lie before the slots, whose WAL is all that can be sent', () => {
    expect(decidePosition([seed('0/FFF'), split({ upTo: '0/5000' })], limits)).toEqual(disputed('0/FFF', '0/1000'));
  });

  it('may not lie beyond what the source has written: that is the WAL of another server', () => {
    expect(decidePosition([seed('0/9001'), log('0/4F00')], limits)).toEqual(disputed('0/9001', '0/9000'));
  });

  it.each(['0/1000', '0/9000'])('may be the very limit %s', (lsn) => {
    expect(decidePosition([seed(lsn), split({ upTo: lsn })], limits)).toEqual({ lsn });
  });
});

describe('whatever the sources say, the position', () => {
  const lsn = fc.bigInt({ min: 0x1000n, max: 0x9000n }).map(bytesToLsn);
  const anyEvidence = fc.record(
    {
      kind: fc.constantFrom<PositionKind>('seed-function', 'recovery-log', 'walinspect', 'xid-split'),
      found: fc.constant('somewhere'),
      after: lsn,
      upTo: lsn,
      exactly: lsn,
    },
    { requiredKeys: ['kind', 'found'] },
  ) as fc.Arbitrary<PositionEvidence>;

  it('contradicts none of them, and has two kinds behind it', () => {
    fc.assert(
      fc.property(fc.array(anyEvidence, { maxLength: 5 }), (found) => {
        const decision = decidePosition(found, limits);
        if ('disputed' in decision) return;
        const at = lsnToBytes(decision.lsn);
        const telling = found.filter(({ after, upTo, exactly }) => after ?? upTo ?? exactly);
        const bounded = found.some(({ upTo }) => upTo);
        expect(new Set(telling.map(({ kind }) => kind)).size).toBeGreaterThanOrEqual(2);
        for (const { after, upTo, exactly } of found) {
          if (after) expect(at > lsnToBytes(after)).toBe(true);
          if (upTo) expect(at <= lsnToBytes(upTo)).toBe(true);
          // Without an upper bound, the byte behind the last record is taken: it can't be too far, the named value could.
          if (exactly && bounded) expect(exactly).toBe(decision.lsn);
          if (exactly) expect(at <= lsnToBytes(exactly)).toBe(true);
        }
        expect(at >= lsnToBytes(limits.notBefore) && at <= lsnToBytes(limits.notAfter)).toBe(true);
      }),
    );
  });

  it('does not depend on the order in which they are asked', () => {
    const shuffled = fc
      .array(anyEvidence, { maxLength: 4 })
      .chain((found) => fc.tuple(fc.constant(found), fc.shuffledSubarray(found, { minLength: found.length })));
    fc.assert(
      fc.property(shuffled, ([found, again]) => {
        const [one, other] = [decidePosition(found, limits), decidePosition(again, limits)];
        expect('lsn' in one ? one.lsn : 'disputed').toBe('lsn' in other ? other.lsn : 'disputed');
      }),
    );
  });

  it('is found where honest sources describe one clone', () => {
    const world = fc
      .uniqueArray(fc.bigInt({ min: 0x1001n, max: 0x8fffn }), { minLength: 4, maxLength: 4 })
      .map((cuts) => cuts.sort((a, b) => (a < b ? -1 : 1)).map(bytesToLsn));
    fc.assert(
      fc.property(world, ([lastCommit, lastRecord, end, firstMissing]) => {
        const honest = [
          seed(end as string),
          log(lastRecord as string, end),
          split({ after: lastCommit as string, upTo: firstMissing as string }),
        ];
        expect(decidePosition(honest, limits)).toEqual({ lsn: end });
      }),
    );
  });
});
