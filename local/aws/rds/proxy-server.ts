import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** How often a client that waits for a target looks for one. */
const POLL_MS = 15;
/** SQLSTATE connection_failure. */
const CONNECTION_FAILURE = '08006';

/** Where clients are led to, at this moment. */
export interface ProxyTarget {
  /** Tells targets apart: the resource id of the instance. */
  readonly id: string;
  readonly host: string;
  readonly port: number;
}

/** What a proxy asks for each new client. */
export interface ProxyRules {
  readonly target: () => ProxyTarget | undefined;
  /** Whether a client from that address may come in. */
  readonly admits: (address: string) => boolean;
  /** How long a client waits for a target that answers. */
  readonly patienceMs: () => number;
}

/**
 * Forwards TCP connections to the PostgreSQL server behind, byte by byte, so that TLS and authentication are between the client and that server.
 * A client that finds no target waits; in vain, it is told so and sent away.
 */
export class ProxyServer {
  private readonly server: Server;
  /** Clients, with the target that each is led to; undefined for those that wait. */
  private readonly clients = new Map<Socket, string | undefined>();

  constructor(private readonly rules: ProxyRules) {
    this.server = createServer((client) => void this.serve(client));
  }

  /** Answers the port that it listens on. */
  async listen(port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ port, host: '127.0.0.1', exclusive: true }, resolve);
    });
    return (this.server.address() as AddressInfo).port;
  }

  /** Ends the connections that are led to a target; those of clients that wait stay. */
  endSessionsTo(targetId: string): void {
    for (const [client, id] of this.clients) if (id === targetId) client.destroy();
  }

  /** How many clients are led to a target now, and how many wait for one. */
  get load(): { readonly led: number; readonly waiting: number } {
    const led = [...this.clients.values()].filter((id) => id !== undefined).length;
    return { led, waiting: this.clients.size - led };
  }

  async close(): Promise<void> {
    for (const client of this.clients.keys()) client.destroy();
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
    });
  }

  private async serve(client: Socket): Promise<void> {
    client.on('error', () => client.destroy());
    if (!this.rules.admits(client.remoteAddress ?? '')) {
      client.destroy();
      return;
    }
    this.clients.set(client, undefined);
    client.once('close', () => this.clients.delete(client));
    const deadline = Date.now() + this.rules.patienceMs();
    while (!client.destroyed) {
      const target = this.rules.target();
      const upstream = target && (await dial(target));
      if (upstream && target.id === this.rules.target()?.id && !client.destroyed) {
        this.clients.set(client, target.id);
        lead(client, upstream);
        return;
      }
      upstream?.destroy();
      if (Date.now() >= deadline) {
        client.end(refusal('Timed-out waiting to acquire database connection'));
        return;
      }
      await sleep(POLL_MS);
    }
  }
}

/** A connection to a target, if somebody listens there. */
function dial({ host, port }: ProxyTarget): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('error', () => resolve(undefined));
    socket.once('connect', () => resolve(socket));
  });
}

/** Leads bytes both ways until one side ends; what was sent before that still arrives. */
function lead(client: Socket, upstream: Socket): void {
  upstream.on('error', () => upstream.destroy());
  for (const socket of [client, upstream]) socket.setNoDelay(true);
  client.once('close', () => upstream.destroy());
  upstream.once('close', () => client.destroySoon());
  client.pipe(upstream);
  upstream.pipe(client);
}

/**
 * An ErrorResponse of PostgreSQL's protocol. It may also answer a request for TLS.
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
function refusal(message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${CONNECTION_FAILURE}\0M${message}\0\0`);
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}
