import type { ServiceSession } from './service-session';

/** RDS's is every few minutes; a migration here lasts a minute or two. */
const EVERY_MS = 3_000;

/** In the database `rdsadmin`, from the creation of an instance on. */
export const HEARTBEAT_TABLE = 'CREATE TABLE public.rds_heartbeat2 (id integer PRIMARY KEY, value bigint NOT NULL)';

const BEAT = `INSERT INTO public.rds_heartbeat2 VALUES (1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
  ON CONFLICT (id) DO UPDATE SET value = excluded.value`;

/**
 * What the service itself commits on every instance, the source and the clone, also while nobody else writes: an idle server has transactions of its own, and its
 * WAL goes on.
 */
export class Heartbeat {
  private last = 0;

  constructor(
    private readonly session: ServiceSession,
    private readonly isReplica: () => boolean,
  ) {}

  /** Commits one if it is time. */
  async look(): Promise<void> {
    if (this.isReplica() || Date.now() - this.last < EVERY_MS) return;
    this.last = Date.now();
    await this.session.use(async (client) => void (await client.query(BEAT)));
  }
}
