import type { Progress } from './progress';
import type { Report } from './report';

/**
 * Temporal refuses a payload of more than 2 MiB, and the report is one: as the workflow's result, as the answer of a query, as the
 * input of what writes it down. The rest is for what travels with it.
 * @see https://docs.temporal.io/cloud/limits
 */
export const MAX_REPORT_BYTES = 1_500_000;

/** How much is kept at most, from generous to what fits in any case. */
const LIMITS = [
  { items: 2_000, text: 20_000 },
  { items: 500, text: 5_000 },
  { items: 100, text: 2_000 },
  { items: 25, text: 500 },
  { items: 5, text: 200 },
] as const;

/** Lists of which nothing may be missing: who decided what, what was done, what stays. They are short by nature. */
const WHOLE = new Set([
  'plan',
  'overridden',
  'stays',
  'progress.steps',
  'progress.approvals',
  'progress.undone',
  'cutover.timeline',
]);

/** No object of a report has more fields than this. */
const MOST_FIELDS = 50;

/** So many cuts are named one by one. */
const MAX_NAMED = 50;

/**
 * The report as it is when it fits in, otherwise a copy in which long lists and texts are cut as far as needed. The copy says so
 * in `shortened`.
 */
export function fitReport(report: Report, maxBytes = MAX_REPORT_BYTES): Report {
  if (jsonBytes(report) <= maxBytes) return report;
  let copy = report;
  for (const limit of LIMITS) {
    const cuts: string[] = [];
    copy = { ...(cut(report, '', limit, cuts) as Report), shortened: named(cuts) };
    if (jsonBytes(copy) <= maxBytes) break;
  }
  return copy;
}

/** The answer of the query `progress` may have so many bytes: it is asked for all the time. */
export const MAX_PROGRESS_BYTES = 1_000_000;

/** The progress as it is when it fits in, otherwise a copy in which long lists and texts are cut as far as needed. */
export function fitProgress(progress: Progress, maxBytes = MAX_PROGRESS_BYTES): Progress {
  let copy = progress;
  for (const limit of LIMITS) {
    if (jsonBytes(copy) <= maxBytes) break;
    copy = cut(progress, 'progress', limit, []) as Progress;
  }
  return copy;
}

/** Size of a value as JSON in UTF-8, in bytes. Without `Buffer`, which workflow code doesn't have. */
export function jsonBytes(value: unknown): number {
  const text = JSON.stringify(value);
  let size = text.length;
  for (let place = 0; place < text.length; place += 1) {
    const code = text.charCodeAt(place);
    // Each half of a surrogate pair counts 2 of its 4 bytes.
    if (code >= 0x80) size += code >= 0x800 && (code < 0xd800 || code > 0xdfff) ? 2 : 1;
  }
  return size;
}

interface Limit {
  readonly items: number;
  readonly text: number;
}

function cut(value: unknown, path: string, limit: Limit, cuts: string[]): unknown {
  if (WHOLE.has(path)) return value;
  if (typeof value === 'string') {
    if (value.length <= limit.text) return value;
    cuts.push(`${path}: ${limit.text} of ${value.length} characters`);
    // Not in the middle of a surrogate pair.
    return `${value.slice(0, limit.text).replace(/[\ud800-\udbff]$/, '')}...`;
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  // What has that many keys is a map, for example by database.
  const kept = entries.slice(0, Array.isArray(value) ? limit.items : Math.max(limit.items, MOST_FIELDS));
  if (kept.length < entries.length) cuts.push(`${path}: ${kept.length} of ${entries.length}`);
  const inner = kept.map(([key, one]) => [key, cut(one, path ? `${path}.${key}` : key, limit, cuts)] as const);
  return Array.isArray(value) ? inner.map(([, one]) => one) : Object.fromEntries(inner);
}

const named = (cuts: readonly string[]): string[] =>
  cuts.length <= MAX_NAMED ? [...cuts] : [...cuts.slice(0, MAX_NAMED), `and ${cuts.length - MAX_NAMED} more`];
