import fc from 'fast-check';
import { afterPageHeader, bytesToLsn, compareLsn, lsnDistanceBytes, lsnToBytes } from '../../../plan/lsn';

const position = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });

describe('an LSN', () => {
  it('survives the way to bytes and back', () => {
    fc.assert(fc.property(position, (bytes) => lsnToBytes(bytesToLsn(bytes)) === bytes));
  });

  it.each([
    ['0/0', 0n],
    ['0/16B3748', 0x16b3748n],
    ['16/B374D848', 0x16b374d848n],
    ['FFFFFFFF/FFFFFFFF', 0xffff_ffff_ffff_ffffn],
  ])('%s is the byte that PostgreSQL means', (lsn, bytes) => {
    expect(lsnToBytes(lsn)).toBe(bytes);
    expect(bytesToLsn(bytes)).toBe(lsn);
  });

  it('is read in either case', () => {
    expect(lsnToBytes('0/16b3748')).toBe(lsnToBytes('0/16B3748'));
  });

  it.each(['', '0', '0/', '/0', '0/G', '123456789/0', '0/123456789', ' 0/0', '0/0\n', '0x0/0', '-1/0'])(
    '"%s" is none',
    (text) => {
      expect(() => lsnToBytes(text)).toThrow(RangeError);
    },
  );

  it('is ordered by its position, not by its text', () => {
    fc.assert(
      fc.property(position, position, (a, b) => {
        const order = compareLsn(bytesToLsn(a), bytesToLsn(b));
        expect(Math.sign(order)).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
    );
    expect(['1/0', '0/9', '0/A0', '0/FF', '10/0'].sort(compareLsn)).toEqual(['0/9', '0/A0', '0/FF', '1/0', '10/0']);
  });

  it('is so many bytes from another', () => {
    expect(lsnDistanceBytes('1/0', '0/FFFFFFFF')).toBe(1);
    expect(lsnDistanceBytes('0/10', '0/20')).toBe(-16);
  });
});

describe('a place in WAL', () => {
  const RDS = { blockBytes: 8192, segmentBytes: 64 * 1024 * 1024 };
  const PLAIN = { blockBytes: 8192, segmentBytes: 16 * 1024 * 1024 };

  it.each([
    ['the start of a page', '0/5002000', '0/5002018'],
    ['the start of a segment of both', '0/8000000', '0/8000028'],
    ['within a header', '0/5002008', '0/5002018'],
    ['the first record', '0/5002018', '0/5002018'],
    ['any other', '0/5002ABC', '0/5002ABC'],
  ])('is named by where its record begins: %s', (_, lsn, place) => {
    expect(afterPageHeader(lsn, RDS)).toBe(place);
    expect(afterPageHeader(lsn, PLAIN)).toBe(place);
  });

  it('depends on the size of segments, 64 MB on RDS', () => {
    expect(afterPageHeader('0/5000000', PLAIN)).toBe('0/5000028');
    expect(afterPageHeader('0/5000000', RDS)).toBe('0/5000018');
  });

  it('stays what it is', () => {
    fc.assert(
      fc.property(position, (bytes) => {
        const once = afterPageHeader(bytesToLsn(bytes), RDS);
        expect(afterPageHeader(once, RDS)).toBe(once);
        expect(lsnToBytes(once) - bytes).toBeLessThanOrEqual(40n);
      }),
    );
  });
});
