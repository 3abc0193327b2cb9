import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Doorman } from '../../local/app/doorman';
import { type EndpointSource, splitEndpoint } from '../../local/app/endpoint';
import { CommitUnknown, Session } from '../../local/app/session';

export interface WriterOptions {
  readonly endpoints: EndpointSource;
  /** So long a client waits for an answer, in milliseconds. */
  readonly patienceMs?: number;
  readonly login: { readonly user: string; readonly password: string; readonly ca?: string };
  readonly database: string;
  /** Goes into every row. */
  readonly mark: string;
}

/** A write that was acknowledged: its key, the resource id of the server, and when, by the clock of this process. */
export interface Acknowledged {
  readonly key: string;
  readonly server: string;
  readonly at: number;
}

/** The server that a statement runs on, by the resource id in a path of its own: its address goes to another one when instances are renamed. */
const SERVER = `substring(current_setting('ssl_cert_file') FROM 'db-[0-9A-Z]{26}')`;

const CONNECTIONS = 4;
const EVERY_MS = 20;
const BACKOFF_MS = 25;

/** An application: finds its database, writes, notes what was acknowledged and what failed, and reconnects. */
export class Writers {
  readonly acknowledged: Acknowledged[] = [];
  /** Of connections that could not be made, and of transactions that failed. */
  readonly errors: string[] = [];
  private stopping = false;
  private readonly loops: readonly Promise<void>[];

  constructor(private readonly options: WriterOptions) {
    const doorman = new Doorman();
    this.loops = Array.from({ length: CONNECTIONS }, () => this.write(doorman));
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

  private async open(): Promise<Session> {
    const { endpoints, patienceMs, login, database } = this.options;
    try {
      const where = splitEndpoint(await endpoints.refresh());
      const limit = patienceMs === undefined ? {} : { limitMs: patienceMs };
      return await Session.open({ ...where, ...login, database, applicationName: 'kill-matrix', ...limit });
    } catch (error) {
      this.errors.push(textOf(error));
      throw error;
    }
  }

  private async write(doorman: Doorman): Promise<void> {
    const { mark } = this.options;
    let session: Session | undefined;
    while (!this.stopping) {
      if (!session || session.isLost) {
        session = await doorman.enter(
          () => this.open(),
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
        this.errors.push(textOf(error));
        // What is unknown counts on neither side, a lost connection anyway.
        if (error instanceof CommitUnknown || !session.isLost) session.close();
      }
    }
    session?.close();
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
