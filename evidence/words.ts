import { bytes, duration } from '../plan/format';

export { bytes, duration };

const DATE = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', day: 'numeric', month: 'short', year: 'numeric' });
const TIME = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'UTC',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const NUMBER = new Intl.NumberFormat('en-US');

/** 21 Nov 2026. */
export const day = (at: string | Date): string => DATE.format(new Date(at));
/** 15:23:34. */
export const clock = (at: string | Date): string => TIME.format(new Date(at));
/** 21 Nov 2026, 15:23:34 UTC. */
export const moment = (at: string): string => `${day(at)}, ${clock(at)} UTC`;
/** 36,735. */
export const number = (value: number): string => NUMBER.format(value);
/** 1 table, 2 tables. */
export const counted = (value: number, what: string): string => `${number(value)} ${what}${value === 1 ? '' : 's'}`;
/** 12.3 ms; a whole number from 100 ms on. */
export const milliseconds = (ms: number): string => `${ms >= 100 ? number(Math.round(ms)) : Number(ms.toFixed(1))} ms`;
/** How long from one moment to another. */
export const between = (from: string, to: string): string => duration(Math.max(0, Date.parse(to) - Date.parse(from)));
