import { bytes, duration } from '../../../plan/format';

describe('a duration', () => {
  it.each([
    [0, '0 ms'],
    [849.6, '850 ms'],
    [1_000, '1 s'],
    [12_400, '12 s'],
    [59_400, '59 s'],
    [59_600, '1 min 0 s'],
    [185_000, '3 min 5 s'],
    [3_599_600, '1 h 0 min'],
    [7_440_000, '2 h 4 min'],
    [30 * 86_400_000, '720 h 0 min'],
  ])('of %d ms reads %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });

  it('never reads as a thousand of the smaller unit', () => {
    expect(duration(999.6)).toBe('1 s');
  });
});

describe('a number of bytes', () => {
  it.each([
    [0, '0 bytes'],
    [1_023, '1023 bytes'],
    [1_024, '1.0 KiB'],
    [1_572_864, '1.5 MiB'],
    [16 * 1_024 ** 3, '16.0 GiB'],
    [5 * 1_024 ** 5, '5120.0 TiB'],
  ])('%d reads %s', (count, text) => {
    expect(bytes(count)).toBe(text);
  });
});
