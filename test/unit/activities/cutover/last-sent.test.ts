import { lastSentMs, mayStillSwitch } from '../../../../activities/cutover/is-cut-over';
import { parsedPlan, SMALLEST_PLAN } from '../../../support/plan';

/** How long a request of a pause may still take effect: counted from the last one that may have been sent, not from the first. */

const BUDGET_MS = 30_000;
/** That of a parameter of SSM: a signed request lives for five minutes, and shows within 15 s. */
const BOUND_MS = 315_000;
const plan = parsedPlan({
  ...SMALLEST_PLAN,
  cutover: { pauseBudgetMs: BUDGET_MS, traffic: [{ type: 'ssm-parameter', name: '/app/database' }] },
});
const input = { id: 'x', plan, databases: ['shop'], fence: { roles: [], unlockable: [], databases: [] } };
const pause = (ms: number, begunAtMs?: number) => ({
  ms,
  pause: 'x',
  ...(begunAtMs === undefined ? {} : { switchBegunMs: ms - begunAtMs }),
});

test('nothing was sent before an attempt noted that it begins', () => {
  expect(lastSentMs(input, undefined)).toBeUndefined();
  expect(lastSentMs(input, pause(5_000))).toBeUndefined();
  expect(mayStillSwitch(input, pause(5_000))).toBe(false);
});

test('within the budget an attempt may have sent one a moment ago', () => {
  expect(lastSentMs(input, pause(29_000, 1_000))).toBe(0);
});

test('after it, none since its end, or since an attempt went on after it', () => {
  expect(lastSentMs(input, pause(40_000, 1_000))).toBe(10_000);
  expect(lastSentMs(input, pause(310_000, 300_000))).toBe(10_000);
});

test('an attempt that goes on late begins the bound anew', () => {
  expect(mayStillSwitch(input, pause(BUDGET_MS + BOUND_MS, 1_000))).toBe(true);
  expect(mayStillSwitch(input, pause(BUDGET_MS + BOUND_MS + 1, 1_000))).toBe(false);
  expect(mayStillSwitch(input, pause(320_000, 300_000))).toBe(true);
  expect(mayStillSwitch(input, pause(300_000 + BOUND_MS + 1, 300_000))).toBe(false);
});
