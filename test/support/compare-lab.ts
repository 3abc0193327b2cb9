import { MockActivityEnvironment } from '@temporalio/testing';
import { Client } from 'pg';
import { compareDatabase, type Comparing } from '../../activities/compare/compare-database';
import { exportSnapshot } from '../../activities/compare/exported-snapshot';
import { READER_SETTINGS } from '../../activities/compare/open-sessions';
import { ComparisonProgress } from '../../activities/compare/progress';
import { type Pace, Reader } from '../../activities/compare/reader';
import { settingsOf } from '../../activities/postgres/session';
import type { TableDifference } from '../../plan/report';
import type { BareServer } from './postgres';
import { QUIET } from './workflow-lab';

/** One database of a bare server. */
export interface Place {
  readonly server: BareServer;
  readonly database: string;
}

/** A session as the product's are set up. */
export async function openReader({ server, database }: Place): Promise<Client> {
  const client = new Client({ ...server.address, user: 'master', database });
  client.on('error', () => undefined);
  await client.connect();
  await client.query(settingsOf({ lockTimeoutMs: 10_000 }));
  await client.query(READER_SETTINGS);
  return client;
}

/** A session as an application's is: settings as they come. */
export async function openPlain({ server, database }: Place): Promise<Client> {
  const client = new Client({ ...server.address, user: 'master', database });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

export interface CompareOptions {
  readonly workers?: number;
  readonly showValues?: boolean;
  readonly progress?: ComparisonProgress;
  readonly decide?: Comparing['decide'];
  /** Every query goes through it. */
  readonly pace?: Pace;
  /** Those on the target; default: `pace`. */
  readonly targetPace?: Pace;
}

/** Sessions to compare two databases with, again and again: the product's comparer as the proof uses it. */
export class CompareLab {
  private constructor(
    private readonly sessions: { readonly source: readonly Client[]; readonly target: readonly Client[] },
    private readonly options: CompareOptions,
  ) {}

  static async open(source: Place, target: Place, options: CompareOptions = {}): Promise<CompareLab> {
    const count = 1 + (options.workers ?? 2);
    const open = (place: Place) => Promise.all(Array.from({ length: count }, () => openReader(place)));
    return new CompareLab({ source: await open(source), target: await open(target) }, options);
  }

  /** Compares under a snapshot of now on each side. */
  async run(options: CompareOptions = this.options): Promise<ComparisonProgress> {
    const progress = options.progress ?? new ComparisonProgress();
    const [source, target] = [this.sessions.source, this.sessions.target];
    const keepers = { source: source[0] as Client, target: target[0] as Client };
    const names = {
      source: (await exportSnapshot(keepers.source)).name,
      target: (await exportSnapshot(keepers.target)).name,
    };
    const pace = options.pace ?? (<T>(work: () => Promise<T>) => work());
    const comparing: Comparing = {
      migration: 'm-test',
      showValues: options.showValues ?? false,
      progress,
      source: source.slice(1).map((session) => new Reader('source', session, undefined, pace)),
      target: target.slice(1).map((session) => new Reader('target', session, undefined, options.targetPace ?? pace)),
      catalogs: keepers,
      snapshots: () => Promise.resolve(names),
      roundRead: () => Promise.resolve(names),
      equal: () => Promise.resolve(undefined),
      decide: options.decide ?? ((_pair, _table, found) => Promise.resolve({ different: found })),
    };
    try {
      await new MockActivityEnvironment({}, { logger: QUIET }).run(() => compareDatabase(comparing, 'test'));
    } finally {
      await Promise.all([...source, ...target].map((session) => session.query('ROLLBACK')));
    }
    return progress;
  }

  async differences(options: CompareOptions = this.options): Promise<readonly TableDifference[]> {
    return (await this.run(options)).differences;
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.sessions.source, ...this.sessions.target].map((session) => session.end()));
  }
}
