import { Whims } from '../../../../local/aws/whims';

const WHIMS = ['groupLeftPending', 'storageInitialization', 'availableInBetween', 'staleReads'] as const;
const drawn = (whims: Whims) => WHIMS.map((whim) => Array.from({ length: 30 }, () => whims.takes(whim)));

test('by default AWS does nothing that it need not', () => {
  expect(drawn(new Whims()).flat()).not.toContain(true);
});

test('in the nightmare it does, differently for each seed, and the same with the same', () => {
  const [first, again, other] = [new Whims('7'), new Whims('7'), new Whims('8')].map(drawn);
  expect(again).toEqual(first);
  expect(other).not.toEqual(first);
  for (const kind of first ?? []) expect(kind).toEqual(expect.arrayContaining([true, false]));
});

test('the kinds do not depend on each other: a call more of one leaves the others as they are', () => {
  const [plain, disturbed] = [new Whims('7'), new Whims('7')];
  disturbed.takes('staleReads');
  expect(plain.takes('groupLeftPending')).toBe(disturbed.takes('groupLeftPending'));
});

test('what is not a seed is refused', () => {
  expect(() => new Whims('yes')).toThrow('KEYSHIFT_LOCAL_NIGHTMARE');
});
