import type { Client } from 'pg';

interface Connection {
  query(sql: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/** COPY ... FROM STDIN with lines that are given, as `pg` lets a query of one's own take part ("Submittable"). */
class CopyIn {
  callback: (error: Error | null) => void;
  readonly done: Promise<void>;

  constructor(
    private readonly sql: string,
    private readonly lines: string,
  ) {
    let settle!: { resolve: () => void; reject: (error: Error) => void };
    this.done = new Promise((resolve, reject) => (settle = { resolve, reject }));
    this.callback = (error) => (error ? settle.reject(error) : settle.resolve());
  }

  submit(connection: Connection): void {
    connection.query(this.sql);
  }

  handleCopyInResponse(connection: Connection): void {
    connection.sendCopyFromChunk(Buffer.from(this.lines));
    connection.endCopyFrom();
  }

  handleCommandComplete(): void {
    // What was copied is counted by those who compare.
  }

  handleError(error: Error): void {
    this.callback(error);
  }

  handleReadyForQuery(): void {
    this.callback(null);
  }
}

export async function copyIn(client: Client, sql: string, lines: string): Promise<void> {
  const copy = new CopyIn(sql, lines);
  client.query(copy as never);
  await copy.done;
}

/** A line of CSV; null is what is not quoted. */
export const csvLine = (values: readonly (string | null)[]): string =>
  `${values.map((value) => (value === null ? '' : `"${value.replaceAll('"', '""')}"`)).join(',')}\n`;
