import { ComparisonProgress, emptyTally, type SavedComparison, savedIn } from '../../../../activities/compare/progress';
import { ROUND_BUCKETS, roundsOf } from '../../../../activities/compare/rounds';
import { SideScan } from '../../../../activities/compare/scan';
import type { ListedTable } from '../../../../activities/compare/list-tables';
import { MOST_HEARTBEAT_BYTES } from '../../../../activities/heartbeat';
import { jsonBytes } from '../../../../plan/fit-report';

const TABLES = 10_000;
const NAME = 'x'.repeat(58);
const listed = (n: number, allBlocks: number): ListedTable => ({
  schema: NAME,
  name: `${NAME}${n}`.slice(-63).padStart(63, 'y'),
  key: [],
  columns: ['id'],
  wide: [],
  oid: 20_000 + n,
  filenode: 20_000 + n,
  isPartition: false,
  attributes: [[1, 20, null]],
  blocks: allBlocks,
  allBlocks,
});
const pairOf = (n: number, allBlocks: number) => {
  const table = listed(n, allBlocks);
  return { table, source: table, target: table };
};

/** A table half read, with as many totals as there are buckets. */
function halfRead(n: number) {
  const { table } = pairOf(n, 2_560);
  const bucketing = { kind: 'hash', mask: 511 } as const;
  const side = () => {
    const scan = new SideScan(table, bucketing, 2_560);
    scan.take(false, 4);
    for (let bucket = 0; bucket < 512; bucket += 1) {
      scan.totals.add(String(bucket), { rows: 123_456_789, sum: -9_223_372_036_854_775_808n * 1_000n });
    }
    return scan;
  };
  return { table, source: side(), target: side() };
}

describe('the heartbeat of a comparison', () => {
  it('of 10,000 tables of 20 MiB has few of them open at a time', () => {
    const rounds = [...roundsOf(Array.from({ length: TABLES }, (_, n) => pairOf(n, 2_560)))];
    expect(rounds.flat()).toHaveLength(TABLES);
    // A table of 2,560 pages has 64 buckets.
    for (const round of rounds) expect(round.length * 64).toBeLessThanOrEqual(ROUND_BUCKETS);
  });

  it('has room for whatever is open, and goes on with as much of it as it kept', () => {
    const progress = new ComparisonProgress();
    const open = Array.from({ length: 500 }, (_, n) => halfRead(n));
    for (const one of open) progress.open.set(one.table, one);
    const details = JSON.parse(JSON.stringify(progress.details())) as { resume: SavedComparison };
    expect(jsonBytes(details)).toBeLessThan(MOST_HEARTBEAT_BYTES);
    const resumed = new ComparisonProgress(savedIn(details));
    const tables = open.map(({ table }) => table);
    expect(tables.some(resumed.isDone(tables))).toBe(false);
    const kept = tables.filter((table) => resumed.savedOf(table));
    expect(kept.length).toBeGreaterThan(3);
    expect(resumed.savedOf(tables[0] as ListedTable)?.source.left).toEqual(open[0]?.source.save().left);
  });

  it('names some of 10,000 tables that differ, can not be proven or were changed, and counts all, also after a resume', () => {
    const progress = new ComparisonProgress();
    for (let n = 0; n < TABLES; n += 1) {
      const table = listed(n, 1);
      const rows = Array.from({ length: 5 }, (_, i) => ({
        key: `(${'k'.repeat(300)}${i})`,
        kind: 'different' as const,
        columns: Array.from({ length: 100 }, (_value, c) => `${NAME}${c}`),
        values: Array.from({ length: 20 }, (_value, c) => ({
          column: `${c}`,
          source: 'ü'.repeat(200),
          target: 'ü'.repeat(200),
        })),
      }));
      const [database, why] = ['shop', 'it was dropped on the target since'];
      progress.differs({
        database,
        table: table.name,
        onlyOnSource: 0,
        onlyOnTarget: 0,
        different: 5,
        examples: rows.map(({ key }) => key),
        rows,
      });
      progress.cannotProve({
        database,
        schema: NAME,
        table: table.name,
        columns: Array.from({ length: 20 }, () => NAME),
        why,
      });
      progress.isEqual({ database, table: table.name, rows: 1 });
      progress.changedBy(`shop: ${NAME}.${table.name}: target: column ${NAME} is ${NAME} now`);
    }
    progress.roundDone({ ...emptyTally(), tables: TABLES }, listed(1, 1));
    const details = JSON.parse(JSON.stringify(progress.details())) as unknown;
    expect(jsonBytes(details)).toBeLessThan(MOST_HEARTBEAT_BYTES);
    const resumed = new ComparisonProgress(savedIn(details));
    expect([resumed.differentTables, resumed.notProvenTables, resumed.changes, resumed.tables]).toEqual([
      TABLES,
      TABLES,
      TABLES,
      TABLES,
    ]);
    expect(resumed.equal).toMatchObject({ equalTables: TABLES });
    expect(resumed.differences[0]?.rows).toHaveLength(5);
    expect(resumed.differences.at(-1)).not.toHaveProperty('rows');
  });
});

describe('tables whose names read alike when they are joined', () => {
  const [one, other] = [
    { schema: 'a', name: 'b.c' },
    { schema: 'a.b', name: 'c' },
  ];

  it('are done one by one', () => {
    const progress = new ComparisonProgress();
    progress.roundDone(emptyTally(), one);
    const isDone = new ComparisonProgress(savedIn(progress.details())).isDone([one, other]);
    expect([isDone(one), isDone(other)]).toEqual([true, false]);
  });

  it('are not taken for done by what an earlier version wrote, which the others are', () => {
    const old = {
      databases: [],
      upTo: 'public.m',
      tables: 3,
      rows: 9,
      undecided: 0,
      changedSince: 0,
      goneSince: 0,
      differences: [],
      open: {},
    };
    const tables = [
      one,
      other,
      { schema: 'public', name: 'a' },
      { schema: 'public', name: 'm' },
      { schema: 'public', name: 'z' },
    ];
    const progress = new ComparisonProgress(old);
    expect(tables.map(progress.isDone(tables))).toEqual([false, false, true, true, false]);
    expect(progress.notes('shop', false)).toBe('nothing');
  });

  it('are noted once for each database, also by an attempt that goes on before a table is done', () => {
    const first = new ComparisonProgress();
    expect(first.notes('shop', false)).toBe('all');
    const second = new ComparisonProgress(first.details().resume);
    expect(second.notes('shop', false)).toBe('nothing');
    expect(second.notes('shop', true)).toBe('what is left');
    const third = new ComparisonProgress(second.details().resume);
    expect(third.notes('shop', true)).toBe('nothing');
    third.databaseDone('shop');
    expect(third.notes('ledger', true)).toBe('all');
  });

  it('keep what an earlier version had read of a table, where one table alone is called so', () => {
    const side = { left: [[16, 32]] as const, totals: '0:1:2', blocks: 32 };
    const saved = { bucketing: { kind: 'one' } as const, source: side, target: side };
    const old = { databases: [], tables: 0, rows: 0, undecided: 0, changedSince: 0, goneSince: 0, differences: [] };
    const progress = new ComparisonProgress({ ...old, open: { 'a.b.c': saved, 'public.m': saved } });
    const single = { schema: 'public', name: 'm' };
    progress.isDone([one, other, single]);
    expect([one, other, single].map((table) => progress.savedOf(table) !== undefined)).toEqual([false, false, true]);
  });
});
