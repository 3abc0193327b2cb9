import type { Session } from './session';

/** A row that only this connection changes; `key` finds it. */
export interface OwnRow {
  readonly uid: string;
  version: number;
  readonly key: readonly (string | number)[];
}

/** Enough to choose from; a connection need not own everything. */
const AT_MOST = 400;

/**
 * The rows of one table that belong to one connection. Each row has one owner, so that the order of its changes is the order in
 * which that connection made them.
 */
export class OwnRows {
  private rows: OwnRow[] = [];

  /**
   * Loads this connection's share of the rows that are there.
   * @param share SQL for what decides whose a row is; a row that goes with another one is that one's owner's
   */
  async load(
    session: Session,
    { table, key, share }: { table: string; key: readonly string[]; share: string },
    owner: number,
    owners: number,
  ): Promise<void> {
    const found = await session.rows<Record<string, string | number> & { uid: string; version: number }>(
      `SELECT uid, version, ${key.map((column) => `${column}::text AS ${column}`).join(', ')} FROM ${table}
       WHERE mod(abs(hashtextextended((${share})::text, 0) % 1000000007), $1) = $2 LIMIT ${AT_MOST}`,
      [owners, owner],
    );
    this.rows = found.map((row) => ({ uid: row.uid, version: row.version, key: key.map((name) => row[name] ?? '') }));
  }

  get size(): number {
    return this.rows.length;
  }

  add(row: OwnRow): void {
    this.rows.push(row);
  }

  /** Any one of them; undefined if there are none. */
  pick(): OwnRow | undefined {
    return this.rows[Math.floor(Math.random() * this.rows.length)];
  }

  /** Not ours any more: deleted, or in a state that nobody knows. */
  drop(uid: string): void {
    const index = this.rows.findIndex((row) => row.uid === uid);
    if (index < 0) return;
    const last = this.rows.pop();
    if (last && index < this.rows.length) this.rows[index] = last;
  }
}
