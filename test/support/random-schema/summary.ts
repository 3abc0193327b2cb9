import { ALL_FEATURES } from './grammar';
import type { SeedResult } from './round';
import type { World } from './world';

/** How often each production of the grammar was used, most first; those that never were have 0. */
export function featureCounts(worlds: readonly World[]): Map<string, number> {
  const counts = new Map<string, number>(ALL_FEATURES.map((name) => [name, 0]));
  for (const { features } of worlds) {
    for (const [name, count] of features) counts.set(name, (counts.get(name) ?? 0) + count);
  }
  return new Map([...counts].sort(([, a], [, b]) => b - a));
}

/** What kind of production: what stands before the colon. */
function byKind(counts: ReadonlyMap<string, number>): Map<string, number[]> {
  const kinds = new Map<string, number[]>();
  for (const [name, count] of counts) {
    const [kind = ''] = name.split(': ');
    kinds.set(kind, [...(kinds.get(kind) ?? []), count]);
  }
  return kinds;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

/** How many seeds ended how, what they had in them, and why some parked. */
export function summary(results: readonly SeedResult[]): string {
  const of = (some: readonly SeedResult[], verdict: SeedResult['verdict']) =>
    some.filter((one) => one.verdict === verdict).length;
  const row = (name: string, some: readonly SeedResult[]): string =>
    `| ${name} | ${some.length} | ${of(some, 'right')} | ${of(some, 'parked')} | ${of(some, 'wrong')} |`;
  const majors = [...new Set(results.map(({ world }) => world.major))].sort((a, b) => a - b);
  const pauses = results.flatMap(({ pauseMs }) => pauseMs ?? []);
  const written = results.reduce((sum, one) => sum + one.written, 0);
  return [
    '| | seeds | right | parked | wrong |',
    '|---|---|---|---|---|',
    ...majors.map((major) =>
      row(
        `PostgreSQL ${major}`,
        results.filter(({ world }) => world.major === major),
      ),
    ),
    row(
      'of these with a way back',
      results.filter(({ world }) => world.wayBack),
    ),
    row('all', results),
    '',
    `${written} transactions written meanwhile; median of the seeds: ${(median(results.map(({ ms }) => ms)) / 1000).toFixed(0)} s, pause ${median(pauses)} ms`,
    '',
    ...featureLines(results.map(({ world }) => world)),
    '',
    ...parkedLines(results),
    ...results
      .filter(({ verdict }) => verdict === 'wrong')
      .map(({ world, detail }) => `- seed ${world.seed} is WRONG: ${detail[0] ?? ''}`),
  ].join('\n');
}

function featureLines(worlds: readonly World[]): string[] {
  const counts = featureCounts(worlds);
  const never = [...counts].filter(([, count]) => count === 0).map(([name]) => name);
  return [
    '| productions of the grammar | how many | how often each: least, median |',
    '|---|---|---|',
    ...[...byKind(counts)].map(
      ([kind, some]) => `| ${kind} | ${some.length} | ${Math.min(...some)}, ${median(some)} |`,
    ),
    ...(never.length > 0 ? ['', `never: ${never.join('; ')}`] : []),
  ];
}

function parkedLines(results: readonly SeedResult[]): string[] {
  const parked = results.filter(({ verdict }) => verdict === 'parked');
  if (parked.length === 0) return [];
  const codes = new Map<string, number[]>();
  for (const { codes: some, world } of parked) {
    const name = some.join(', ');
    codes.set(name, [...(codes.get(name) ?? []), world.seed]);
  }
  return [
    '| parked by the preflight | seeds |',
    '|---|---|',
    ...[...codes].map(([name, seeds]) => `| ${name} | ${seeds.join(', ')} |`),
  ];
}
