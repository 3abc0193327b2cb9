import type { Logger } from 'pino';
import { preparePostgres } from '../../postgres/binaries';
import { PostgresServer } from '../../postgres/server';
import type { StopMode } from '../../postgres/server';
import type { PidLedger } from '../pid-ledger';
import type { Places } from '../places';
import type { Store } from '../state';
import { CronRunner } from './cron-runner';
import { Heartbeat } from './heartbeat';
import type { InstanceRecord } from './model';
import { admittedTo } from './network-rules';
import { ReplicationRoles } from './replication-roles';
import { primaryOf } from './replication';
import { placesOf, writeConfiguration } from './server-configuration';
import { ServiceSession } from './service-session';

/** How often a server is looked after: replication rights of roles, and whether it still runs. */
const WATCH_MS = 200;

/** The PostgreSQL server of an instance, with what the service does around it. */
export class InstanceServer {
  readonly server: PostgresServer;
  private readonly session: ServiceSession;
  private readonly roles: ReplicationRoles;
  private readonly cron: CronRunner;
  private readonly heartbeat: Heartbeat;
  private wanted = false;
  private ready = false;
  private timer: NodeJS.Timeout | undefined;
  private turn: Promise<void> = Promise.resolve();

  constructor(
    private readonly instance: InstanceRecord,
    private readonly store: Store,
    places: Places,
    pids: PidLedger,
    private readonly log: Logger,
    private readonly writeConfiguration: () => void,
  ) {
    this.server = new PostgresServer(
      () => preparePostgres(instance.major, places.postgresDir, { rdsTools: this.switches.rdsTools !== false }),
      placesOf(places, instance),
      instance.port,
      places.account,
      (process) => pids.set(`postgres ${instance.resourceId}`, process),
    );
    this.session = new ServiceSession(this.server);
    this.roles = new ReplicationRoles(this.session);
    this.cron = new CronRunner(this.server, () => instance.activeParameters);
    this.heartbeat = new Heartbeat(this.session, () => instance.replicaOf !== undefined);
  }

  /** Whether it takes sessions. */
  get takesSessions(): boolean {
    return this.ready && this.server.pid !== undefined;
  }

  /** Starts with the configuration of the moment. */
  async start(): Promise<void> {
    this.writeConfiguration();
    await this.server.start();
    this.watch();
  }

  async stop(mode: StopMode): Promise<void> {
    await this.unwatch();
    await this.server.stop(mode);
  }

  async restart(mode: StopMode): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  /** Takes over a server that an earlier stand-in left running, if it is one. */
  adopt(recorded: { readonly pid: number; readonly startTime: string } | undefined): boolean {
    if (!recorded || !this.server.adopt(recorded)) return false;
    this.watch();
    return true;
  }

  /** Makes the running server take settings that need no restart. */
  reload(): void {
    this.writeConfiguration();
    this.server.reload();
  }

  private get switches() {
    return this.store.switches(this.instance.region, this.instance.id);
  }

  private watch(): void {
    this.wanted = true;
    this.ready = true;
    const next = () => {
      if (!this.wanted) return;
      this.timer = setTimeout(() => {
        this.turn = this.look().finally(next);
      }, WATCH_MS);
    };
    next();
  }

  private async unwatch(): Promise<void> {
    this.wanted = false;
    this.ready = false;
    clearTimeout(this.timer);
    await this.turn;
    await this.session.close();
    await this.cron.close();
  }

  private async look(): Promise<void> {
    try {
      if (this.server.pid === undefined && this.wanted) {
        // RDS starts a server again that has died.
        this.log.warn({ instance: this.instance.id }, 'server has died, starting it again');
        this.ready = false;
        this.writeConfiguration();
        await this.server.start();
        this.ready = true;
      }
      if (this.wanted) await this.roles.reconcile();
      if (this.wanted) await this.heartbeat.look();
      if (this.wanted) await this.cron.look();
    } catch (error) {
      this.log.debug({ instance: this.instance.id, error }, 'server could not be looked after');
    }
  }
}

/** The servers of all instances. */
export class ServerPool {
  private readonly servers = new Map<string, InstanceServer>();

  constructor(
    private readonly store: Store,
    private readonly places: Places,
    private readonly pids: PidLedger,
    private readonly log: Logger,
  ) {}

  /** The server of an instance, running or not. */
  of(instance: InstanceRecord): InstanceServer {
    let server = this.servers.get(instance.resourceId);
    if (!server) {
      const write = () =>
        writeConfiguration(
          this.places,
          instance,
          this.store.switches(instance.region, instance.id),
          admittedTo(this.store.region(instance.region), instance),
          primaryOf(this.store.region(instance.region).rds, instance),
        );
      server = new InstanceServer(instance, this.store, this.places, this.pids, this.log, write);
      this.servers.set(instance.resourceId, server);
    }
    return server;
  }

  forget(instance: InstanceRecord): void {
    this.servers.delete(instance.resourceId);
  }

  async stopAll(): Promise<void> {
    await Promise.allSettled([...this.servers.values()].map((server) => server.stop('fast')));
  }
}
