/**
 * The longest time in which no write of any connection was acknowledged, among those that overlap the time from `from` to `to`.
 * If nothing was acknowledged after `from`, it lasts until `to`.
 */
export function longestGapMs(acknowledgedAt: readonly number[], from: number, to: number): number {
  const before = acknowledgedAt.filter((at) => at <= from).at(-1) ?? from;
  const after = acknowledgedAt.find((at) => at >= to) ?? to;
  const moments = [before, ...acknowledgedAt.filter((at) => at > from && at < to), after];
  let longest = 0;
  for (const [index, moment] of moments.entries()) {
    longest = Math.max(longest, moment - (moments[index - 1] ?? moment));
  }
  return Math.round(longest * 10) / 10;
}
