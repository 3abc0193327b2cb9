import { forecast, remember, type Sample, SAMPLES_MAX } from '../../../../activities/guard/forecast';
import { reasonToGiveUp } from '../../../../activities/guard/give-up';
import { judgeSource } from '../../../../activities/guard/judge-source';
import { missingLinks } from '../../../../activities/guard/mark-chain';
import { recreatedBetween } from '../../../../activities/guard/read-figures';
import type { Lag, SourceHealth } from '../../../../plan/progress';
import { parsedPlan, SMALLEST_PLAN } from '../../../support/plan';

const MIB = 1_048_576;
const GIB = 1_024 * MIB;
const MINUTE = 60_000;
const plan = parsedPlan(SMALLEST_PLAN);
const lag: Lag = { bytes: 0, trend: 'steady', at: '2026-11-21T10:00:00.000Z' };
const calm: SourceHealth = { retainedBytes: MIB, freeStorageBytes: 50 * GIB, freeStoragePercent: 50 };
const codes = (health: Partial<SourceHealth>, ceilingBytes?: number, of = lag) =>
  judgeSource(plan, of, { ...calm, ...health }, ceilingBytes).map(({ code }) => code);

describe('forecast', () => {
  const sample = (at: number, one: Partial<Sample> = {}): Sample => ({ at, lagBytes: 0, retainedBytes: 0, ...one });

  it('says when the lag is gone, the storage full and the slot lost', () => {
    const samples = [
      sample(0, { lagBytes: 100 * MIB, retainedBytes: 100 * MIB, safeWalBytes: 900 * MIB, freeBytes: 10 * GIB }),
      sample(MINUTE, { lagBytes: 50 * MIB, retainedBytes: 200 * MIB, safeWalBytes: 800 * MIB, freeBytes: 9 * GIB }),
    ];
    expect(forecast(samples)).toEqual({ goneInMs: MINUTE, storageFullInMs: 9 * MINUTE, slotLostInMs: 8 * MINUTE });
  });

  it('says nothing of what does not move in its direction, or was looked at once', () => {
    expect(forecast([])).toEqual({});
    expect(forecast([sample(0, { lagBytes: MIB })])).toEqual({});
    const still = { lagBytes: MIB, retainedBytes: MIB, safeWalBytes: GIB, freeBytes: GIB };
    expect(forecast([sample(0, still), sample(MINUTE, still)])).toEqual({});
  });

  it('remembers an hour, and always the newest look', () => {
    let samples: readonly Sample[] = [];
    for (let at = 0; at <= 3 * 60 * MINUTE; at += 5_000) samples = remember(samples, sample(at));
    expect(samples.length).toBe(SAMPLES_MAX);
    expect(samples.at(-1)?.at).toBe(3 * 60 * MINUTE);
    const span = (samples.at(-1)?.at ?? 0) - (samples[0]?.at ?? 0);
    expect(span).toBeGreaterThan(50 * MINUTE);
    expect(span).toBeLessThan(70 * MINUTE);
  });
});

describe('what the guard warns of', () => {
  it.each<[string, Partial<SourceHealth>, string[]]>([
    ['nothing', {}, []],
    ['little storage', { freeStoragePercent: 20 }, ['storage-shrinks']],
    ['so little that work waits', { freeStoragePercent: 10 }, ['storage-low']],
    ['a disk that fills', { storageFullInMs: 3_600_000 }, ['storage-full-soon']],
    ['an old transaction', { oldestTransactionMs: 7_200_000 }, ['old-transaction']],
    ['catalog rows that stay', { catalogXminAge: 150_000_000 }, ['catalog-xmin']],
    ['spilled transactions', { spilledBytes: 20 * GIB }, ['spill']],
  ])('%s', (_what, health, expected) => expect(codes(health)).toEqual(expected));

  it('a slot near its ceiling', () => {
    expect(codes({ safeWalBytes: 10 * MIB }, 64 * MIB)).toEqual(['slot-near-ceiling']);
    expect(codes({ safeWalBytes: 60 * MIB }, 64 * MIB)).toEqual([]);
  });

  it('not of a disk that would fill only after the lag is gone', () => {
    expect(codes({ storageFullInMs: 3_600_000 }, undefined, { ...lag, goneInMs: 60_000 })).toEqual([]);
  });

  it('that nobody knows the storage', () => {
    expect(judgeSource(plan, lag, { retainedBytes: 0 }).map(({ code }) => code)).toEqual(['storage-unknown']);
  });
});

describe('giving up', () => {
  const reason = (health: Partial<SourceHealth>) => reasonToGiveUp(plan.guard, 'app-db', { ...calm, ...health });

  it('below the threshold, with the figures', () => {
    const low = { freeStoragePercent: 5, freeStorageBytes: 5 * GIB };
    expect(reason({ ...low, retainedBytes: 30 * GIB })).toMatch(/5\.0 GiB .*5\.0 %.*7 %.*30\.0 GiB/);
    // Somebody else fills the disk: our slots would be given up for nothing.
    expect(reason({ ...low, retainedBytes: MIB })).toBeUndefined();
    expect(reason({ freeStoragePercent: 8, retainedBytes: 30 * GIB })).toBeUndefined();
  });
});

describe('a slot that was made anew', () => {
  const figures = { ceilingBytes: null, oldestTransactionMs: 0, spilledBytes: 0, countersSince: 'today' };

  it('shows by a counter that went back', () => {
    const before = { ...figures, decoded: { ours: 10 } };
    expect(recreatedBetween(before, { ...figures, decoded: { ours: 3 } })).toBe('ours');
    expect(recreatedBetween(before, { ...figures, decoded: { ours: 11 } })).toBeUndefined();
    // The server was restarted, or somebody reset its statistics.
    expect(recreatedBetween(before, { ...figures, decoded: { ours: 0 }, countersSince: 'later' })).toBeUndefined();
  });

  it('shows by marks that never came, though later ones did', () => {
    const source = new Map([
      ['guard-0', '2026-01-01T00:00:00Z'],
      ['guard-1', '2026-01-01T00:00:05Z'],
      ['guard-2', '2026-01-01T00:00:10Z'],
    ]);
    const without = (place: string) => new Map([...source].filter(([key]) => key !== place));
    expect(missingLinks(source, source)).toEqual([]);
    expect(missingLinks(source, new Map())).toEqual([]);
    // On its way.
    expect(missingLinks(source, without('guard-2'))).toEqual([]);
    expect(missingLinks(source, without('guard-1'))).toEqual(['2026-01-01T00:00:05Z']);
    expect(missingLinks(source, new Map([...source, ['guard-0', '2025-01-01T00:00:00Z']]))).toEqual([
      '2026-01-01T00:00:00Z',
    ]);
  });
});
