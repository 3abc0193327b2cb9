import { CronExpressionParser } from 'cron-parser';
import type { WindowState } from '../../plan/board';
import type { Plan } from '../../plan/plan';

type Window = NonNullable<Plan['gates']['cutover']['window']>;

const MINUTE_MS = 60_000;

/**
 * Whether the window of the cutover is open, and when it opens or closes next. In activities only: what a time zone means is data
 * that changes with versions, and a workflow has to come to the same result when it is replayed.
 * @throws Error when cron or zone are none
 */
export function windowAt(window: Window | undefined, now: Date): WindowState | undefined {
  if (!window) return undefined;
  if (window.cron.trim().split(/\s+/).length !== 5) throw new RangeError('cron needs five fields');
  const options = { currentDate: new Date(now.getTime() + 1), tz: window.timeZone };
  const began = CronExpressionParser.parse(window.cron, options).prev().toDate();
  const closes = began.getTime() + window.minutes * MINUTE_MS;
  if (closes > now.getTime()) return { open: true, closesAt: new Date(closes).toISOString() };
  const opens = CronExpressionParser.parse(window.cron, { ...options, currentDate: now })
    .next()
    .toDate();
  return {
    open: false,
    opensAt: opens.toISOString(),
    closesAt: new Date(opens.getTime() + window.minutes * MINUTE_MS).toISOString(),
  };
}
