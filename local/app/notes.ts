import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { DatabaseName } from './schema';

/** One changed row: table, what happened, its uid, and its version afterwards (of a deleted row the last one). */
export type RowWrite = readonly [table: string, what: 'insert' | 'update' | 'delete', uid: string, version: number];

/** What became of one transaction, as the application knows it. */
export interface Note {
  /**
   * `acknowledged`: the server said that it is committed. `unknown`: the connection was lost while the commit was under way.
   * `failed`: certainly not committed. `refused`: no transaction, but a connection that could not be made. `lost`: no transaction
   * either, but a connection that went away while nothing was under way on it.
   */
  readonly outcome: 'acknowledged' | 'unknown' | 'failed' | 'refused' | 'lost';
  /** When it was known; milliseconds since the epoch. */
  readonly at: number;
  readonly connection: number;
  /** `host:port` of the server that it ran on: what it was sent to, or, through a pooler, what that server said. */
  readonly endpoint: string;
  readonly database: DatabaseName;
  readonly writes: readonly RowWrite[];
  /** SQLSTATE or the like, and the constraint, of a failure. */
  readonly code?: string;
  readonly constraint?: string;
}

/** Appends notes to a file, one JSON object per line; lines are collected and written ten times a second. */
export class NoteBook {
  private readonly stream: WriteStream;
  private readonly timer: NodeJS.Timeout;
  private pending: string[] = [];

  constructor(readonly file: string) {
    this.stream = createWriteStream(file, { flags: 'a' });
    this.timer = setInterval(() => void this.flush(), 100);
  }

  add(note: Note): void {
    this.pending.push(JSON.stringify(note));
  }

  /** Resolves when everything that was added before is in the file. */
  async flush(): Promise<void> {
    if (this.pending.length === 0) return;
    const text = `${this.pending.join('\n')}\n`;
    this.pending = [];
    await new Promise<void>((resolve, reject) => {
      this.stream.write(text, (error) => (error ? reject(error) : resolve()));
    });
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.flush();
    await new Promise<void>((resolve) => this.stream.end(resolve));
  }
}

/** Reads notes one by one. Half a line at the end, of a writer that was killed, is left out. */
export async function* readNotes(file: string): AsyncGenerator<Note> {
  const lines = createInterface({ input: createReadStream(file, 'utf8') });
  let broken: string | undefined;
  for await (const line of lines) {
    if (broken !== undefined) throw new Error(`${file}: a line is not JSON: ${broken.slice(0, 200)}`);
    let note: Note | undefined;
    try {
      note = JSON.parse(line) as Note;
    } catch {
      broken = line;
    }
    if (note) yield note;
  }
}
