import { windowAt } from '../../../../activities/cutover/window';
import { checkWindow } from '../../../../activities/preflight/check-window';
import type { PlanInput } from '../../../../plan/plan';
import { parsedPlan, SMALLEST_PLAN } from '../../../support/plan';

const at = (iso: string, more: object = {}) =>
  windowAt({ cron: '0 3 * * 6', timeZone: 'Europe/Berlin', minutes: 90, ...more }, new Date(iso));

describe('the window of the cutover', () => {
  // 2026-11-21 is a Saturday; Berlin is one hour before UTC in winter, two in summer.
  it.each([
    ['2026-11-21T01:59:59.999Z', false],
    ['2026-11-21T02:00:00.000Z', true],
    ['2026-11-21T03:29:59.999Z', true],
    ['2026-11-21T03:30:00.000Z', false],
    ['2026-06-20T01:00:00.000Z', true],
    ['2026-06-20T00:59:00.000Z', false],
  ])('at %s is open: %s', (iso, open) => {
    expect(at(iso)?.open).toBe(open);
  });

  it('says when it closes, or when the next one opens', () => {
    expect(at('2026-11-21T02:30:00Z')).toEqual({ open: true, closesAt: '2026-11-21T03:30:00.000Z' });
    expect(at('2026-11-21T04:00:00Z')).toEqual({
      open: false,
      opensAt: '2026-11-28T02:00:00.000Z',
      closesAt: '2026-11-28T03:30:00.000Z',
    });
  });

  it('is none where the plan names none', () => {
    expect(windowAt(undefined, new Date())).toBeUndefined();
  });
});

describe('cutover-window', () => {
  const check = (window: object) => {
    const input = { ...SMALLEST_PLAN, gates: { cutover: { window } } } as PlanInput;
    return checkWindow(parsedPlan(input), new Date('2026-11-21T04:00:00Z'));
  };

  it.each([
    { cron: 'tonight' },
    { cron: '0 0 3 * * 6' },
    { cron: '61 3 * * 6' },
    { cron: '0 3 * * 6', timeZone: 'Mars/Base' },
  ])('blocks %j', (window) => {
    expect(check(window)).toMatchObject([{ code: 'cutover-window', level: 'block' }]);
  });

  it('says when the window opens, and is left out without one', () => {
    expect(check({ cron: '0 3 * * 6' })).toMatchObject([
      { code: 'cutover-window', level: 'ok', message: expect.stringContaining('2026-11-28 03:00Z') as string },
    ]);
    expect(checkWindow(parsedPlan(SMALLEST_PLAN), new Date())).toEqual([]);
  });
});
