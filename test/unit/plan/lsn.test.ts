import fc from 'fast-check';
import { bytesToLsn, compareLsn, lsnDistanceBytes, lsnToBytes } from '../../../plan/lsn';

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
