import { CHECK_CODES, CHECKS, type Check } from '../../../plan/checks';
import { judgeChecks, waiverFor } from '../../../plan/judge-checks';

const block: Check = { code: 'replica-identity', level: 'block', message: 'a table without a key' };
const warning: Check = { code: 'fence-roles', level: 'warn', message: 'the master user is connected' };
const fine: Check = { code: 'quota', level: 'ok', message: 'enough' };

test('without a word in the plan, blocks and warnings stop the migration', () => {
  const { stops, acknowledged, overridden } = judgeChecks([fine, warning, block], { acknowledge: [], override: [] });
  expect(stops).toEqual([block, warning]);
  expect([acknowledged, overridden]).toEqual([[], []]);
});

test('a warning that is acknowledged does not, a block that is only acknowledged does', () => {
  const plan = { acknowledge: ['fence-roles' as const, 'replica-identity' as const], override: [] };
  const { stops, acknowledged } = judgeChecks([warning, block], plan);
  expect(stops).toEqual([block]);
  expect(acknowledged).toEqual([warning]);
});

test.each(CHECK_CODES)('an override of %s counts only where the code allows it', (code) => {
  const check: Check = { code, level: 'block', message: 'x' };
  const { stops, overridden } = judgeChecks([check], { acknowledge: [], override: [{ code, reason: 'known' }] });
  expect(stops).toEqual(CHECKS[code].overridable ? [] : [check]);
  expect(overridden).toEqual(CHECKS[code].overridable ? [{ code, reason: 'known' }] : []);
  expect(waiverFor(check) === undefined).toBe(!CHECKS[code].overridable);
});
