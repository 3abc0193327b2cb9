import { type Capacity, isShort, limitsFor, raisedBy, roomy } from '../../../../activities/postgres/capacity';

/** A small instance with the default group of RDS. */
const UNUSED: Capacity = {
  slots: 0,
  maxSlots: 20,
  senders: 0,
  maxSenders: 20,
  subscriptions: 0,
  maxLogicalWorkers: 4,
  otherWorkers: 0,
  maxWorkers: 8,
  maxParallelWorkers: 8,
  origins: 0,
  maxOrigins: null,
  syncWorkers: 2,
  parallelApplyWorkers: 0,
  standbys: false,
};
const PG18 = { maxOrigins: 10, parallelApplyWorkers: 2 };

const raised = (found: Partial<Capacity>, databases: number) => {
  const all = { ...UNUSED, ...found };
  return Object.fromEntries(
    raisedBy(limitsFor(all, databases), all.standbys).map((limit) => [limit.name, roomy(limit)]),
  );
};
const short = (found: Partial<Capacity>, databases: number) =>
  limitsFor({ ...UNUSED, ...found }, databases)
    .filter(isShort)
    .map(({ name }) => name);

describe('what our own group raises on the default ones', () => {
  const [slots, senders] = ['max_replication_slots', 'max_wal_senders'];
  const [logical, workers] = ['max_logical_replication_workers', 'max_worker_processes'];
  const origins = 'max_active_replication_origins';
  it.each([
    [1, { [workers]: 12 }, { [logical]: 5, [workers]: 14 }],
    [4, { [logical]: 6, [workers]: 15 }, { [logical]: 14, [workers]: 23 }],
    [8, { [logical]: 10, [workers]: 19 }, { [logical]: 26, [workers]: 35 }],
    [
      20,
      { [slots]: 22, [senders]: 22, [logical]: 22, [workers]: 31 },
      { [slots]: 22, [senders]: 22, [logical]: 62, [workers]: 71, [origins]: 22 },
    ],
    [
      50,
      { [slots]: 52, [senders]: 52, [logical]: 52, [workers]: 61 },
      { [slots]: 52, [senders]: 52, [logical]: 152, [workers]: 161, [origins]: 52 },
    ],
  ])('for %i databases', (databases, upTo17, from18) => {
    expect(raised({}, databases)).toEqual(upTo17);
    expect(raised(PG18, databases)).toEqual(from18);
  });

  it('is never less than what the source has', () => {
    expect(raised({ maxSlots: 100, maxSenders: 100, maxLogicalWorkers: 100, maxWorkers: 200 }, 50)).toEqual({});
  });

  it('is nothing that a read replica has to keep up with', () => {
    expect(raised({ standbys: true, senders: 1, slots: 1 }, 20)).toEqual({ [slots]: 23, [logical]: 22 });
  });
});

describe('what is short', () => {
  it('is found with the last database but one copy of a table: four on the default group', () => {
    expect(short({}, 3)).toEqual([]);
    expect(short({}, 4)).toEqual(['max_logical_replication_workers']);
    expect(short({ maxLogicalWorkers: 10 }, 6)).toEqual([]);
    expect(short({ maxLogicalWorkers: 10 }, 7)).toEqual(['max_worker_processes']);
  });

  it('counts what others have', () => {
    const wide = { maxLogicalWorkers: 100, maxWorkers: 100 };
    expect(short({ ...wide, slots: 15 }, 5)).toEqual(['max_replication_slots']);
    expect(short({ ...wide, senders: 15 }, 5)).toEqual(['max_wal_senders']);
    expect(short({ ...wide, origins: 15 }, 5)).toEqual(['max_replication_slots']);
    expect(short({ ...wide, origins: 5, maxOrigins: 10 }, 5)).toEqual(['max_active_replication_origins']);
    expect(short({ subscriptions: 2 }, 2)).toEqual(['max_logical_replication_workers']);
    expect(short({ otherWorkers: 5 }, 2)).toEqual(['max_worker_processes']);
  });
});
