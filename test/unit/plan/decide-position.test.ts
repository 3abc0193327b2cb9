import fc from 'fast-check';
import { decidePosition } from '../../../plan/decide-position';
import { afterPageHeader, bytesToLsn, lsnToBytes, type WalLayout } from '../../../plan/lsn';
import { DEPENDS_ON, type PositionEvidence, type PositionKind } from '../../../plan/position';

/** Segments of 64 kB, so that some of these few LSNs lie at the start of one. */
const wal: WalLayout = { blockBytes: 8192, segmentBytes: 0x10000 };
const limits = { notBefore: '0/1000', notAfter: '0/9000', wal };
const evidence = (kind: PositionKind, says: Partial<PositionEvidence>): PositionEvidence => ({
  kind,
  found: 'somewhere',
  ...says,
});
const seed = (exactly: string) => evidence('seed-function', { exactly });
const log = (after: string, end?: string) =>
  evidence('recovery-log', { after, lastRecord: after, ...(end ? { upTo: end, exactly: end } : {}) });
const fork = (after: string, end: string) => evidence('walinspect', { after, upTo: end });
const split = (says: { after?: string; upTo?: string }) => evidence('xid-split', says);

const disputed = (...texts: string[]) => ({
  disputed: expect.stringMatching(new RegExp(texts.map((text) => text.replaceAll('/', '\\/')).join('.*'))) as string,
});

describe('the position', () => {
  it('is what all sources name', () => {
    const all = [
      seed('0/5000'),
      log('0/4F00', '0/5000'),
      fork('0/4E00', '0/5000'),
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

  it('is not moved by a lower bound that may be too far, in either direction', () => {
    const tentative = { ...split({ after: '0/5400', upTo: '0/5800' }), tentative: true };
    // What broke once: the log alone named the last record, and the split moved the position to 0/5401.
    expect(decidePosition([log('0/4F00'), tentative], limits)).toEqual({ lsn: '0/4F01' });
    expect(decidePosition([seed('0/5000'), log('0/4F00'), tentative], limits)).toEqual({ lsn: '0/4F01' });
    expect(decidePosition([seed('0/5000'), log('0/4F00'), split({ after: '0/5400' })], limits)).toHaveProperty(
      'disputed',
    );
  });

  it('counts the upper bound of such a split', () => {
    const tentative = { ...split({ after: '0/5400', upTo: '0/4800' }), tentative: true };
    expect(decidePosition([log('0/4F00'), tentative], limits)).toEqual(disputed('0/4F01', 'beyond', '0/4800'));
  });

  it('is disputed when something behind "redo done" is said to be replayed: that is the last record', () => {
    expect(decidePosition([log('0/4F00'), split({ after: '0/5400' })], limits)).toEqual(disputed('0/4F00', '0/5400'));
    expect(decidePosition([log('0/4F00'), fork('0/5400', '0/5800')], limits)).toEqual(disputed('0/4F00', '0/5400'));
  });

  it('is disputed when the source committed something between the LSNs that are named', () => {
    const between = { ...split({ after: '0/4000' }), commitBetween: '0/4F80' };
    expect(decidePosition([seed('0/5000'), log('0/4F00'), between], limits)).toEqual(disputed('0/4F80', 'between'));
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
    expect(decidePosition([seed('0/5000'), log('0/4F00', '0/5008')], limits)).toEqual(disputed('0/5000', '0/5008'));
  });

  it('is not proven by two kinds of which one takes a fact from the other', () => {
    const dependent = split({ after: '0/4E00', upTo: '0/5800' });
    const found = [fork('0/4E00', '0/5000'), dependent];
    expect(decidePosition(found, limits)).toEqual(disputed('walinspect and xid-split are one kind'));
    expect(decidePosition([...found, log('0/4F00')], limits)).toEqual({ lsn: '0/5000' });
    expect(decidePosition([...found, seed('0/5000')], limits)).toEqual({ lsn: '0/5000' });
  });

  it('is proven by such two kinds where that fact changed nothing', () => {
    const alone = { ...split({ after: '0/4E00', upTo: '0/5800' }), standsAlone: true };
    expect(decidePosition([fork('0/4E00', '0/5000'), alone], limits)).toEqual({ lsn: '0/5000' });
  });

  it('is proven by any two kinds that have nothing to do with each other', () => {
    const kinds = Object.keys(DEPENDS_ON) as PositionKind[];
    for (const one of kinds) {
      for (const other of kinds.filter((kind) => kind !== one)) {
        const found = [one, other].map((kind) =>
          evidence(kind, { after: '0/4F00', upTo: '0/5000', exactly: '0/5000' }),
        );
        const related = DEPENDS_ON[one].includes(other) || DEPENDS_ON[other].includes(one);
        expect('lsn' in decidePosition(found, limits)).toBe(!related);
      }
    }
  });

  it.each([
    ['a page', '0/4000', '0/4018'],
    ['a segment', '0/10000', '0/10028'],
  ])('may be the end of %s in one source and the record after its header in another', (_, end, first) => {
    const high = { ...limits, notAfter: '0/19000' };
    for (const [one, other] of [
      [end, first],
      [first, end],
    ] as const) {
      expect(decidePosition([seed(one), log('0/3F00', other)], high)).toEqual({ lsn: first });
      expect(decidePosition([seed(one), fork('0/3E00', other)], high)).toEqual({ lsn: first });
    }
    expect(decidePosition([seed(first), log('0/3F00', end)], { ...high, notAfter: end })).toEqual({ lsn: first });
  });

  it('is disputed where the two are not the same place', () => {
    expect(decidePosition([seed('0/4020'), log('0/3F00', '0/4000')], limits)).toEqual(disputed('0/4020', '0/4018'));
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
        const bounded = found.some(({ kind, upTo }) => upTo && kind !== 'xid-split');
        expect(new Set(telling.map(({ kind }) => kind)).size).toBeGreaterThanOrEqual(2);
        for (const { after, upTo, exactly } of found) {
          if (after) expect(at > lsnToBytes(after)).toBe(true);
          if (upTo) expect(at <= lsnToBytes(afterPageHeader(upTo, wal))).toBe(true);
          // Without an upper bound, the byte behind the last record is taken: it can't be too far, the named value could.
          if (exactly && bounded) expect(afterPageHeader(exactly, wal)).toBe(decision.lsn);
          if (exactly) expect(at <= lsnToBytes(afterPageHeader(exactly, wal))).toBe(true);
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
        expect(decidePosition(honest, limits)).toEqual({ lsn: afterPageHeader(end as string, wal) });
      }),
    );
  });
});
