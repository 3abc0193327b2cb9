import { EVIDENCE_MAX } from '../../plan/checks';

/** The first few of a list, and how many more there are, for a message. */
export function named(names: readonly string[], most = 10): string {
  const more = names.length - most;
  return names.slice(0, most).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** A count and its noun: `1 table`, `2 tables`. */
export const counted = (count: number, noun: string, plural = `${noun}s`): string =>
  `${count} ${count === 1 ? noun : plural}`;

/** A list as evidence: its exact length, and at most `EVIDENCE_MAX` of it. */
export const evidenceOf = <T>(list: readonly T[]): { count: number; found: readonly T[] } => ({
  count: list.length,
  found: list.slice(0, EVIDENCE_MAX),
});
