import { randomUUID } from 'node:crypto';
import { SSMClient, type SSMClientConfig } from '@aws-sdk/client-ssm';
import { setTimeout as sleep } from 'node:timers/promises';
import { Doorman } from '../../local/app/doorman';
import { ParameterEndpoint, splitEndpoint } from '../../local/app/endpoint';
import { CommitUnknown, Session } from '../../local/app/session';

export interface WriterOptions {
  readonly aws: SSMClientConfig;
  /** SSM parameter that has the endpoint. */
  readonly parameter: string;
  readonly login: { readonly user: string; readonly password: string; readonly ca?: string };
  readonly database: string;
  /** Goes into every row. */
  readonly mark: string;
}

/** A write that was acknowledged: its key, the server as `address:port`, and when, by the clock of this process. */
export interface Acknowledged {
  readonly key: string;
  readonly server: string;
  readonly at: number;
}

/** The server that a statement runs on. */
export const SERVER = `(host(inet_server_addr()) || ':' || inet_server_port())`;

const CONNECTIONS = 4;
const EVERY_MS = 20;
const BACKOFF_MS = 25;

/** An application: reads where its database is, writes, notes what was acknowledged, and reconnects. */
export class Writers {
  readonly acknowledged: Acknowledged[] = [];
  private stopping = false;
  private readonly loops: readonly Promise<void>[];

  constructor(private readonly options: WriterOptions) {
    const endpoint = new ParameterEndpoint(new SSMClient(options.aws), options.parameter);
    const doorman = new Doorman();
    this.loops = Array.from({ length: CONNECTIONS }, () => this.write(endpoint, doorman));
  }

  /** The longest time without an acknowledged write that ended after `since`, up to now. */
  longestGapMs(since: number): number {
    const times = this.acknowledged.map(({ at }) => at).concat(performance.now());
    let longest = 0;
    for (const [index, at] of times.entries()) {
      if (index > 0 && at >= since) longest = Math.max(longest, at - (times[index - 1] ?? at));
    }
    return longest;
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.loops);
  }

  private async write(endpoint: ParameterEndpoint, doorman: Doorman): Promise<void> {
    const { database, login, mark } = this.options;
    let session: Session | undefined;
    while (!this.stopping) {
      if (!session || session.isLost) {
        session = await doorman.enter(
          async () => {
            const where = splitEndpoint(await endpoint.refresh());
            return Session.open({ ...where, ...login, database, applicationName: 'kill-matrix' });
          },
          BACKOFF_MS,
          () => this.stopping,
        );
        if (!session) return;
      }
      const key = `${mark} ${randomUUID()}`;
      const transaction = session.begin();
      let server = '';
      try {
        await session.transact(async () => {
          const { rows } = await transaction.query<{ server: string }>(
            `INSERT INTO orders (note) VALUES ($1 || ' ' || ${SERVER}) RETURNING ${SERVER} AS server`,
            [key],
          );
          server = rows[0]?.server ?? '';
        });
        this.acknowledged.push({ key, server, at: performance.now() });
        await sleep(EVERY_MS);
      } catch (error) {
        // What is unknown counts on neither side, a lost connection anyway.
        if (error instanceof CommitUnknown || !session.isLost) session.close();
      }
    }
    session?.close();
  }
}
