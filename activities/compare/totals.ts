/** Number of rows and sum of their hashes. Equal contents give equal totals, whatever the order of rows. */
export interface Total {
  readonly rows: number;
  readonly sum: bigint;
}

/** Totals by bucket. Those of disjoint parts of a table can be added up in any order. */
export class Totals {
  readonly #buckets = new Map<string, Total>();

  add(bucket: string, { rows, sum }: Total): void {
    const before = this.#buckets.get(bucket);
    this.#buckets.set(bucket, before ? { rows: before.rows + rows, sum: before.sum + sum } : { rows, sum });
  }

  get rows(): number {
    let rows = 0;
    for (const one of this.#buckets.values()) rows += one.rows;
    return rows;
  }

  /** Buckets that are not the same here and there, each with the larger number of its rows. */
  differing(other: Totals): Map<string, number> {
    const found = new Map<string, number>();
    for (const bucket of new Set([...this.#buckets.keys(), ...other.#buckets.keys()])) {
      const [one, two] = [this.#buckets.get(bucket), other.#buckets.get(bucket)];
      if (one?.rows === two?.rows && one?.sum === two?.sum) continue;
      found.set(bucket, Math.max(one?.rows ?? 0, two?.rows ?? 0));
    }
    return found;
  }

  /** For a heartbeat. */
  encode(): string {
    return [...this.#buckets].map(([bucket, { rows, sum }]) => `${bucket}:${rows}:${sum}`).join(' ');
  }

  static decode(text: string): Totals {
    const totals = new Totals();
    for (const entry of text === '' ? [] : text.split(' ')) {
      const [bucket = '', rows = '0', sum = '0'] = entry.split(':');
      totals.add(bucket, { rows: Number(rows), sum: BigInt(sum) });
    }
    return totals;
  }
}
