import { queryOne, type Session } from './session';

/** The launcher of logical replication is a background worker, too. */
const LAUNCHER = 1;
/** Without a worker, a slot and a sender for it, a table that is to be copied waits for good. */
const TABLE_COPY = 1;

/** What a server allows of all that replication takes, and how much of it others have taken. */
export interface Capacity {
  readonly slots: number;
  readonly maxSlots: number;
  readonly senders: number;
  readonly maxSenders: number;
  /** Subscriptions of others: each has an apply worker. */
  readonly subscriptions: number;
  readonly maxLogicalWorkers: number;
  /** Background workers of extensions. */
  readonly otherWorkers: number;
  readonly maxWorkers: number;
  /** They come out of `maxWorkers`, too. */
  readonly maxParallelWorkers: number;
  readonly origins: number;
  /** `max_active_replication_origins`; null up to 17, where `max_replication_slots` limits origins, too. */
  readonly maxOrigins: number | null;
  readonly syncWorkers: number;
  /** Parallel apply workers that a subscription of ours may have: it streams in parallel by default from 18 on. */
  readonly parallelApplyWorkers: number;
  /** Whether the server has read replicas. */
  readonly standbys: boolean;
}

const READ = `
  SELECT (SELECT count(*)::int FROM pg_replication_slots) AS slots,
         current_setting('max_replication_slots')::int AS "maxSlots",
         (SELECT count(*)::int FROM pg_stat_replication) AS senders,
         current_setting('max_wal_senders')::int AS "maxSenders",
         (SELECT count(subname)::int FROM pg_subscription) AS subscriptions,
         current_setting('max_logical_replication_workers')::int AS "maxLogicalWorkers",
         (SELECT count(*)::int FROM pg_stat_activity
           WHERE backend_type <> ALL ('{client backend,autovacuum launcher,autovacuum worker,background writer,checkpointer,
             startup,walreceiver,walsender,walwriter,walsummarizer,archiver,logger,slotsync worker,io worker,parallel worker}')
             AND backend_type NOT LIKE 'logical replication%') AS "otherWorkers",
         current_setting('max_worker_processes')::int AS "maxWorkers",
         current_setting('max_parallel_workers')::int AS "maxParallelWorkers",
         (SELECT count(*)::int FROM pg_replication_origin) AS origins,
         current_setting('max_active_replication_origins', true)::int AS "maxOrigins",
         current_setting('max_sync_workers_per_subscription')::int AS "syncWorkers",
         CASE WHEN current_setting('server_version_num')::int < 180000 THEN 0
              ELSE current_setting('max_parallel_apply_workers_per_subscription')::int END AS "parallelApplyWorkers",
         EXISTS (SELECT FROM pg_stat_replication r LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid
                  WHERE s.slot_type IS DISTINCT FROM 'logical')
           OR EXISTS (SELECT FROM pg_replication_slots WHERE slot_type = 'physical' AND starts_with(slot_name, 'rds_')) AS standbys`;

export const readCapacity = (session: Session): Promise<Capacity> => queryOne<Capacity>(session, READ);

/** The parameters that limit it. The last is there from 18 on. */
export const LIMITS = [
  'max_replication_slots',
  'max_wal_senders',
  'max_logical_replication_workers',
  'max_worker_processes',
  'max_active_replication_origins',
] as const;

/** A limit of the server, against what is taken of it and what a migration takes. */
export interface Limit {
  readonly name: (typeof LIMITS)[number];
  readonly is: number;
  readonly used: number;
  /** Without so many more the migration stands still. */
  readonly ours: number;
  /** So many more where it costs nothing: copies side by side, parallel apply, and queries that take no worker away from apply. */
  readonly spare: number;
  /** A standby with less than its primary stops replaying, up to 13 it stops altogether. */
  readonly onStandbys?: true;
}

/**
 * What a migration takes, of either server, since the target gets the parameter group of the source: for each database a slot, a sender,
 * an apply worker and an origin, first on the way there and from the switch on on the way back; the forward direction ends before the way
 * back begins. Then what copies a table that was made meanwhile, and what others have: the target takes that over.
 * @see https://www.postgresql.org/docs/current/logical-replication-config.html
 * @see https://www.postgresql.org/docs/current/hot-standby.html#HOT-STANDBY-ADMIN
 */
export function limitsFor(found: Capacity, databases: number): Limit[] {
  const ours = databases + TABLE_COPY;
  const moreCopies = Math.max(found.syncWorkers - TABLE_COPY, 0);
  const moreWorkers = moreCopies + databases * found.parallelApplyWorkers;
  const workers = found.otherWorkers + found.subscriptions + LAUNCHER;
  const { maxOrigins } = found;
  const slots = maxOrigins === null ? Math.max(found.slots, found.origins) : found.slots;
  const limit = (name: Limit['name'], is: number, used: number, spare: number) => ({ name, is, used, ours, spare });
  return [
    limit('max_replication_slots', found.maxSlots, slots, moreCopies),
    { ...limit('max_wal_senders', found.maxSenders, found.senders, moreCopies), onStandbys: true },
    limit('max_logical_replication_workers', found.maxLogicalWorkers, found.subscriptions, moreWorkers),
    {
      ...limit('max_worker_processes', found.maxWorkers, workers, moreWorkers + found.maxParallelWorkers),
      onStandbys: true,
    },
    ...(maxOrigins === null ? [] : [limit('max_active_replication_origins', maxOrigins, found.origins, moreCopies)]),
  ];
}

export const isShort = ({ is, used, ours }: Limit): boolean => is < used + ours;
/** The value that a limit is set to where we set it; never below what it is. */
export const roomy = ({ is, used, ours, spare }: Limit): number => Math.max(is, used + ours + spare);

/** The limits that a parameter group of our own raises: as much as is wanted, but none of those that a standby has to keep up with. */
export const raisedBy = (limits: readonly Limit[], standbys: boolean): Limit[] =>
  limits.filter((limit) => roomy(limit) > limit.is && !(standbys && limit.onStandbys));
