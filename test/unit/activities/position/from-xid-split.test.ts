import fc from 'fast-check';
import { certainSplit, splitByCommitLog } from '../../../../activities/position/from-xid-split';
import { bytesToLsn, compareLsn } from '../../../../plan/lsn';

const transactions = [
  { xid: 703, commitLsn: '0/3000' },
  { xid: 701, commitLsn: '0/1000' },
  { xid: 702, commitLsn: '0/2000' },
];
const committed =
  (...xids: number[]) =>
  (xid: number) =>
    xids.includes(xid);

describe('the split by the commit log of the clone', () => {
  it('lies between the last commit that it has and the first that it lacks, in the order of commits', () => {
    expect(splitByCommitLog(transactions, committed(701, 702))).toEqual({ after: '0/2000', upTo: '0/3000' });
  });

  it('has no upper end where all were replayed, and no lower end where none was', () => {
    expect(splitByCommitLog(transactions, committed(701, 702, 703))).toEqual({ after: '0/3000' });
    expect(splitByCommitLog(transactions, committed())).toEqual({ upTo: '0/1000' });
    expect(splitByCommitLog([], committed())).toEqual({});
  });

  it('is none where a later transaction is committed and an earlier one is not', () => {
    expect(splitByCommitLog(transactions, committed(701, 703))).toBeUndefined();
    expect(splitByCommitLog(transactions, committed(703))).toBeUndefined();
  });

  it('goes by commits, not by transaction ids: a long transaction commits late', () => {
    const long = [{ xid: 600, commitLsn: '0/4000' }, ...transactions];
    expect(splitByCommitLog(long, committed(701, 702, 703))).toEqual({ after: '0/3000', upTo: '0/4000' });
  });

  it('finds wherever the clone ends', () => {
    const commits = fc.uniqueArray(fc.bigInt({ min: 1n, max: 2n ** 60n }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(commits, fc.nat({ max: 30 }), (positions, cut) => {
        const decoded = positions.map((position, xid) => ({ xid, commitLsn: bytesToLsn(position) }));
        const inOrder = decoded.toSorted((a, b) => compareLsn(a.commitLsn, b.commitLsn));
        const replayed = new Set(inOrder.slice(0, cut).map(({ xid }) => xid));
        const found = splitByCommitLog(decoded, (xid) => replayed.has(xid));
        expect(found?.after).toBe(inOrder[Math.min(cut, inOrder.length) - 1]?.commitLsn);
        expect(found?.upTo).toBe(inOrder[cut]?.commitLsn);
      }),
    );
  });
});

describe("where nobody knows which transactions are the clone's own", () => {
  const sure = (newest: number | undefined, ...xids: number[]) =>
    certainSplit(transactions, committed(...xids), newest);

  it('the first that is not committed there bounds the position from above', () => {
    expect(sure(undefined, 701, 702)).toEqual({ upTo: '0/3000' });
    expect(sure(undefined, 701, 703)).toEqual({ upTo: '0/2000' });
    expect(sure(undefined, 701, 702, 703)).toEqual({});
  });

  it('one that is committed bounds it from below only if the clone certainly has that or a newer one from the source', () => {
    expect(sure(700, 701, 702)).toEqual({ upTo: '0/3000' });
    expect(sure(701, 701, 702)).toEqual({ after: '0/1000', upTo: '0/3000' });
    expect(sure(702, 701, 702, 703)).toEqual({ after: '0/2000' });
  });

  it('knows that ids wrap around', () => {
    const wrapped = [
      { xid: 0xffff_fffe, commitLsn: '0/1000' },
      { xid: 3, commitLsn: '0/2000' },
      { xid: 4, commitLsn: '0/3000' },
    ];
    expect(certainSplit(wrapped, committed(0xffff_fffe, 3, 4), 3)).toEqual({ after: '0/2000' });
    expect(certainSplit(wrapped, committed(0xffff_fffe, 3, 4), 0xffff_ffff)).toEqual({ after: '0/1000' });
  });
});
