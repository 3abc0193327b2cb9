import { Doorman } from './doorman';
import { splitEndpoint, type EndpointSource } from './endpoint';
import { ledgerWorkload } from './ledger';
import type { NoteBook, Note } from './notes';
import { DATABASES, type DatabaseName } from './schema';
import { CommitUnknown, RowIsNotOurs, Session, type SessionOptions } from './session';
import { shopWorkload } from './shop';
import { choose, Effects, type Workload } from './workload';

/** Between two attempts to connect. */
const BACKOFF_MS = 25;

export interface WriterOptions {
  readonly endpoints: EndpointSource;
  readonly credentials: { readonly user: string; readonly password: string; readonly ca?: string };
  readonly connections: number;
  /** Transactions per second, all connections together. */
  readonly rate: number;
  /** The endpoint is that of a pooler: each transaction asks which server it runs on. */
  readonly pooled?: boolean;
  readonly notes: NoteBook;
}

export interface WriterTotals {
  acknowledged: number;
  failed: number;
  unknown: number;
  /** Connections that could not be made, and that went away by themselves. */
  refused: number;
  lost: number;
  reconnects: number;
  /** The longest time without any acknowledged commit so far. */
  longestGapMs: number;
}

/** The application: connections that write without pause, and note what became of every transaction. */
export class Writer {
  readonly totals: WriterTotals = {
    acknowledged: 0,
    failed: 0,
    unknown: 0,
    refused: 0,
    lost: 0,
    reconnects: 0,
    longestGapMs: 0,
  };
  private readonly doorman = new Doorman();
  private lastAcknowledged: number | undefined;
  private stopping = false;
  private loops: Promise<void>[] = [];

  constructor(private readonly options: WriterOptions) {}

  start(): void {
    const { connections } = this.options;
    this.loops = Array.from({ length: connections }, (_, index) => new WriterLoop(this, this.options, index).run());
  }

  /** Lets transactions under way end, and writes the notes out. */
  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.loops);
    await this.options.notes.close();
  }

  get isStopping(): boolean {
    return this.stopping;
  }

  enter<T>(attempt: () => Promise<T>): Promise<T | undefined> {
    return this.doorman.enter(attempt, BACKOFF_MS, () => this.stopping);
  }

  record(note: Note): void {
    this.totals[note.outcome] += 1;
    this.options.notes.add(note);
    if (note.outcome !== 'acknowledged') return;
    const gap = note.at - (this.lastAcknowledged ?? note.at);
    this.totals.longestGapMs = Math.max(this.totals.longestGapMs, gap);
    this.lastAcknowledged = note.at;
  }
}

/** One connection of the writer, on one database. */
class WriterLoop {
  private readonly database: DatabaseName;
  private readonly workload: Workload;
  private session: Session | undefined;
  private endpoint = '';
  /** The connection was given up by us, after a failure that is noted. */
  private givenUp = false;
  private loaded = false;

  constructor(
    private readonly writer: Writer,
    private readonly options: WriterOptions,
    private readonly index: number,
  ) {
    this.database = DATABASES[index % DATABASES.length] ?? 'shop';
    this.workload = this.database === 'shop' ? shopWorkload() : ledgerWorkload();
  }

  async run(): Promise<void> {
    const everyMs = (1000 * this.options.connections) / this.options.rate;
    let next = performance.now() + Math.random() * everyMs;
    while (!this.writer.isStopping) {
      await this.connected();
      if (!this.session) break;
      const wait = next - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      // What a stall cost is not made up for by a burst.
      next = Math.max(next + everyMs, performance.now());
      await this.transact(this.session);
    }
    this.session?.close();
  }

  private async connected(): Promise<void> {
    if (this.session && !this.session.isLost) return;
    // Once connected, a lost connection may mean that the database is elsewhere now.
    let ask: 'current' | 'refresh' = this.session ? 'refresh' : 'current';
    if (this.session) this.writer.totals.reconnects += 1;
    if (this.session && !this.givenUp) this.note('lost');
    this.session = await this.writer.enter(async () => {
      const endpoint = await this.options.endpoints[ask]();
      ask = 'refresh';
      try {
        const session = await this.open(endpoint);
        this.endpoint = endpoint;
        this.givenUp = false;
        return session;
      } catch (error) {
        this.note('refused', { endpoint, code: codeOf(error) });
        throw error;
      }
    });
  }

  private note(outcome: Note['outcome'], more: Partial<Note> = {}): void {
    const { index: connection, endpoint, database } = this;
    const at = performance.timeOrigin + performance.now();
    this.writer.record({ outcome, at, connection, endpoint, database, writes: [], ...more });
  }

  private giveUp(session: Session): void {
    this.givenUp = true;
    session.close();
  }

  private async open(endpoint: string): Promise<Session> {
    const where: SessionOptions = {
      ...splitEndpoint(endpoint),
      ...this.options.credentials,
      database: this.database,
      applicationName: 'sample-app',
      askServer: this.options.pooled ?? false,
    };
    const session = await Session.open(where);
    if (!this.loaded) await this.load(session);
    return session;
  }

  /** Which rows are ours is asked once; from then on we know, since nobody else changes them. */
  private async load(session: Session): Promise<void> {
    const owners = Math.ceil(this.options.connections / DATABASES.length);
    const owner = Math.floor(this.index / DATABASES.length);
    try {
      for (const pool of this.workload.pools) await pool.rows.load(session, pool, owner, owners);
      this.loaded = true;
    } catch (error) {
      session.close();
      throw error;
    }
  }

  private async transact(session: Session): Promise<void> {
    const operation = choose(this.workload.operations);
    const effects = new Effects();
    const transaction = session.begin();
    let did = true;
    const note = (outcome: Note['outcome'], more: Partial<Note> = {}): void => {
      if (!did) return;
      this.note(outcome, { endpoint: session.server ?? this.endpoint, writes: transaction.writes, ...more });
    };
    try {
      await session.transact(async () => {
        did = await operation.run(transaction, effects);
      });
      note('acknowledged');
      effects.apply();
    } catch (error) {
      const code = codeOf(error);
      if (error instanceof CommitUnknown) {
        note('unknown', { code: codeOf(error.cause) });
        this.forget(transaction.writes.map(([, , uid]) => uid));
        this.giveUp(session);
        return;
      }
      const constraint = (error as { constraint?: string }).constraint;
      note('failed', { code, ...(constraint ? { constraint } : {}) });
      // A row that isn't what we left is not touched again; the verdict finds out what it is.
      if (error instanceof RowIsNotOurs) this.forget(transaction.writes.map(([, , uid]) => uid));
      // Whatever else went wrong (read-only, shut down, timed out), a new connection to where the parameter points is the remedy.
      else this.giveUp(session);
    }
  }

  private forget(uids: readonly string[]): void {
    for (const { rows } of this.workload.pools) for (const uid of uids) rows.drop(uid);
  }
}

function codeOf(error: unknown): string {
  if (error instanceof Error) return 'code' in error ? String(error.code) : error.message;
  return String(error);
}
