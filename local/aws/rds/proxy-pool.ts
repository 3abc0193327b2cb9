import { BlockList } from 'node:net';
import type { Logger } from 'pino';
import type { Clock } from '../clock';
import type { Store } from '../state';
import type { ProxyRecord } from './model';
import { admittedBy, USUAL_PORT } from './network-rules';
import type { ServerPool } from './server-pool';
import { ProxyServer, type ProxyTarget } from './proxy-server';

/** RDS's default of `ConnectionBorrowTimeout`, in seconds. */
export const BORROW_TIMEOUT = 120;

/** The servers of all proxies. */
export class ProxyPool {
  private readonly listening = new Map<string, ProxyServer>();

  constructor(
    private readonly store: Store,
    private readonly servers: ServerPool,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  /** Lets a proxy listen. */
  async open(region: string, proxy: ProxyRecord): Promise<void> {
    const server = new ProxyServer({
      target: () => this.targetOf(region, proxy),
      admits: (address) => this.admits(region, proxy, address),
      patienceMs: () => this.clock.milliseconds(proxy.pool?.ConnectionBorrowTimeout ?? BORROW_TIMEOUT),
    });
    this.listening.set(proxy.id, server);
    try {
      await server.listen(proxy.port);
    } catch (error) {
      this.log.error({ proxy: proxy.name, port: proxy.port, err: error }, 'proxy could not listen');
    }
  }

  /** Ends what a proxy leads to an instance. */
  endSessions({ id }: ProxyRecord, resourceId: string): void {
    this.listening.get(id)?.endSessionsTo(resourceId);
  }

  /** How many clients it leads to a target, and how many wait for one. */
  loadOf({ id }: ProxyRecord): { readonly led: number; readonly waiting: number } | undefined {
    return this.listening.get(id)?.load;
  }

  async close({ id }: ProxyRecord): Promise<void> {
    const server = this.listening.get(id);
    this.listening.delete(id);
    await server?.close();
  }

  async closeAll(): Promise<void> {
    await Promise.allSettled([...this.listening.values()].map((server) => server.close()));
  }

  /** Where clients go now: nowhere while a target is still being registered, or its server takes no sessions. */
  private targetOf(region: string, { targets, registering = [] }: ProxyRecord): ProxyTarget | undefined {
    const ready = targets.filter((id) => !registering.includes(id));
    const instance = Object.values(this.store.region(region).rds.instances).find((one) =>
      ready.includes(one.resourceId),
    );
    if (!instance || !this.servers.of(instance).takesSessions) return undefined;
    return { id: instance.resourceId, host: instance.address ?? '127.0.0.1', port: instance.port };
  }

  private admits(region: string, { securityGroups, port }: ProxyRecord, address: string): boolean {
    const admitted = admittedBy(this.store.region(region), securityGroups, [port, USUAL_PORT]);
    if (admitted === 'everybody') return true;
    const ranges = new BlockList();
    for (const range of admitted) {
      const [network = '', bits = ''] = range.split('/');
      ranges.addSubnet(network, Number(bits));
    }
    return ranges.check(address.replace(/^::ffff:/, ''));
  }
}
