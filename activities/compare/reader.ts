import type { QueryResult } from 'pg';
import { queryRows, type Session, type Side } from '../postgres/session';

/**
 * Reads one side in one session, each query in a transaction of its own: a lock on a table never outlives the query that
 * needed it, so that DDL of others isn't kept waiting. With a snapshot all readers of a side see the same rows.
 */
export class Reader {
  constructor(
    readonly side: Side,
    private readonly session: Session,
    /** Name of an exported snapshot; undefined: whatever is committed when a query begins. */
    readonly snapshot: string | undefined,
    /** How the work is paced; default: not at all. */
    private readonly pace: Pace = (work) => work(),
  ) {}

  /** The same session under another snapshot, or none. */
  under(snapshot: string | undefined): Reader {
    return new Reader(this.side, this.session, snapshot, this.pace);
  }

  /** Rows of a query without parameters: one round trip, snapshot included. */
  rows<R extends object>(sql: string): Promise<R[]> {
    return this.pace(async () => {
      if (this.snapshot === undefined) return queryRows<R>(this.session, sql);
      const results = (await this.session
        .query<R>(`${this.begin()}; ${sql}; COMMIT`)
        .catch((error: unknown) => this.rollBack(error))) as unknown as QueryResult<R>[];
      return results[2]?.rows ?? [];
    });
  }

  /** Rows of a query with parameters. */
  rowsWith<R extends object>(sql: string, values: unknown[]): Promise<R[]> {
    return this.pace(async () => {
      if (this.snapshot === undefined) return queryRows<R>(this.session, sql, values);
      await this.session.query(this.begin());
      const rows = await queryRows<R>(this.session, sql, values).catch((error: unknown) => this.rollBack(error));
      await this.session.query('COMMIT');
      return rows;
    });
  }

  /** The session goes on with another query. */
  private async rollBack(error: unknown): Promise<never> {
    await this.session.query('ROLLBACK').catch(() => undefined);
    throw error;
  }

  private begin(): string {
    return `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '${this.snapshot}'`;
  }
}

/** Runs a piece of work, and may wait before or after. */
export type Pace = <T>(work: () => Promise<T>) => Promise<T>;

/** Both sides of one database. */
export interface ReaderPair {
  readonly source: Reader;
  readonly target: Reader;
}
