import type { OwnRow, OwnRows } from './own-rows';
import type { Transaction } from './session';

/** What a transaction changed among the rows that the connection owns; applied when it is acknowledged. */
export class Effects {
  private readonly onCommit: (() => void)[] = [];

  inserted(pool: OwnRows, row: OwnRow): void {
    this.onCommit.push(() => pool.add(row));
  }

  updated(row: OwnRow): void {
    this.onCommit.push(() => (row.version += 1));
  }

  deleted(pool: OwnRows, row: OwnRow): void {
    this.onCommit.push(() => pool.drop(row.uid));
  }

  apply(): void {
    for (const effect of this.onCommit) effect();
  }
}

/** One kind of transaction. Does nothing and answers false if there are no rows for it. */
export interface Operation {
  readonly name: string;
  /** How often, relative to the others. */
  readonly weight: number;
  run(transaction: Transaction, effects: Effects): Promise<boolean>;
}

/** A table whose rows are owned. */
export interface Pool {
  readonly table: string;
  readonly key: readonly string[];
  /** SQL for what decides who owns a row. */
  readonly share: string;
  readonly rows: OwnRows;
}

/** What one connection does to one database. */
export interface Workload {
  readonly pools: readonly Pool[];
  readonly operations: readonly Operation[];
}

/** Chooses by weight. */
export function choose(operations: readonly Operation[]): Operation {
  const total = operations.reduce((sum, { weight }) => sum + weight, 0);
  let left = Math.random() * total;
  const chosen = operations.find(({ weight }) => (left -= weight) < 0) ?? operations[0];
  if (!chosen) throw new RangeError('no operations');
  return chosen;
}
