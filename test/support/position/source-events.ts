import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import type { SourceEvent } from './history';
import type { Random } from './random';
import type { Site } from './site';

export const DATABASES = ['one', 'two'] as const;

/** Two tables in each database; `plain` has no key, so a row that comes twice is there twice. */
export const SCHEMA = `
  CREATE TABLE plain (id bigint, note text);
  CREATE TABLE keyed (id bigint PRIMARY KEY, note text);
  CREATE SEQUENCE numbers`;

const ROW = `INSERT INTO plain SELECT nextval('numbers'), 'x'`;
const HUGE_ROWS = 2000;
const WRITERS_REST_MS = 3;
const FILLING = 'x'.repeat(3000);

/** What goes on at a source: who has a transaction open, and what is prepared. */
export class SourceLife {
  private huge: Client | undefined;
  private readonly prepared: { readonly database: string; readonly name: string }[] = [];
  private count = 0;

  constructor(
    private readonly site: Site,
    private readonly random: Random,
  ) {}

  async happen(event: SourceEvent): Promise<void> {
    const database = this.random.pick(DATABASES);
    switch (event) {
      case 'write':
        return this.write(database, '');
      case 'write without waiting for the disk':
        return this.write(database, 'SET LOCAL synchronous_commit = off;');
      case 'subtransactions':
        return this.run(
          database,
          `BEGIN; ${ROW}; SAVEPOINT a; ${ROW}; SAVEPOINT b; ${ROW}; ROLLBACK TO a; ${ROW}; COMMIT`,
        );
      case 'roll back':
        return this.run(database, `BEGIN; ${ROW}; ROLLBACK`);
      case 'prepare':
        return this.prepare(database);
      case 'commit prepared':
        return this.endPrepared('COMMIT PREPARED');
      case 'roll back prepared':
        return this.endPrepared('ROLLBACK PREPARED');
      case 'open a huge transaction':
        return this.openHuge(database);
      case 'commit the huge transaction':
        return this.endHuge('COMMIT');
      case 'abort the huge transaction':
        return this.endHuge('ROLLBACK');
      case 'checkpoint':
        return this.run('postgres', 'CHECKPOINT');
      case 'switch WAL':
        return this.run('postgres', 'SELECT pg_switch_wal()');
      case 'clean restart':
        return this.restart(() => this.site.restart('fast'));
      case 'crash':
        return this.restart(() => this.site.restart('immediate'));
      case 'fail over':
        return this.restart(() => this.site.failOver());
    }
  }

  /** Writers that go on until they are told to end. */
  writers(count: number): { readonly end: () => Promise<void> } {
    let going = true;
    const writing = Array.from({ length: count }, async (_, index) => {
      const database = DATABASES[index % DATABASES.length] as string;
      const client = await this.site.connect(database);
      try {
        for (let n = 0; going; n++) {
          const lazy = (n + index) % 3 === 0 ? 'SET LOCAL synchronous_commit = off;' : '';
          const note = n % 7 === 0 ? `, '${FILLING}'` : `, 'w'`;
          await client.query(
            `BEGIN; ${lazy} INSERT INTO plain SELECT nextval('numbers')${note}; SAVEPOINT s; INSERT INTO keyed SELECT nextval('numbers')${note}; COMMIT`,
          );
          // So much that a snapshot meets them anywhere, and no more: all of it is decoded afterwards.
          await sleep(WRITERS_REST_MS);
        }
      } finally {
        await client.end().catch(() => undefined);
      }
    });
    return {
      end: async () => {
        going = false;
        await Promise.all(writing);
      },
    };
  }

  /** Ends what is still open, so that all that was committed can be compared. */
  async settle(): Promise<void> {
    await this.endHuge(this.random.percent(50) ? 'COMMIT' : 'ROLLBACK');
    while (this.prepared.length > 0) {
      await this.endPrepared(this.random.percent(50) ? 'COMMIT PREPARED' : 'ROLLBACK PREPARED');
    }
  }

  private async write(database: string, begin: string): Promise<void> {
    const transactions = 1 + this.random.below(4);
    for (let n = 0; n < transactions; n++) {
      await this.run(database, `BEGIN; ${begin} ${ROW}; INSERT INTO keyed SELECT nextval('numbers'), 'k'; COMMIT`);
    }
    // Half of the time the disk catches up.
    if (begin && this.random.percent(50)) await sleep(this.random.below(300));
  }

  private async prepare(database: string): Promise<void> {
    this.count += 1;
    const name = `p${this.count}`;
    await this.run(database, `BEGIN; ${ROW}; PREPARE TRANSACTION '${name}'`);
    this.prepared.push({ database, name });
  }

  private async endPrepared(how: string): Promise<void> {
    const next = this.prepared.shift();
    if (next) await this.run(next.database, `${how} '${next.name}'`);
  }

  private async openHuge(database: string): Promise<void> {
    if (this.huge) return;
    this.huge = await this.site.connect(database);
    await this.huge.query('BEGIN');
    await this.huge.query(
      `INSERT INTO plain SELECT nextval('numbers'), repeat('h', 500) FROM generate_series(1, ${HUGE_ROWS})`,
    );
  }

  private async endHuge(how: string): Promise<void> {
    const { huge } = this;
    this.huge = undefined;
    if (!huge) return;
    await huge.query(how);
    await huge.end();
  }

  /** Whoever has a session loses it. */
  private async restart(how: () => Promise<void>): Promise<void> {
    const { huge } = this;
    this.huge = undefined;
    await huge?.end().catch(() => undefined);
    await how();
  }

  private async run(database: string, statement: string): Promise<void> {
    await this.site.sql(database, statement);
  }
}
