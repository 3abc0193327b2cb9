import type { EventEmitter } from 'node:events';
import type { Session } from '../postgres/session';

/** So much may wait in memory for the target before reading from the source pauses, in bytes. */
const WAITING_MAX_BYTES = 1_048_576;

/** Rows come one by one, and go on in parcels of this size, in bytes. */
const PARCEL_BYTES = 65_536;

/** What we use of the connection below a `pg` client. */
interface Connection extends EventEmitter {
  readonly stream: EventEmitter & { readonly writableLength: number; pause(): void; resume(): void };
  query(sql: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(reason: string): void;
}

const connectionOf = (session: Session): Connection => (session as unknown as { connection: Connection }).connection;

/** One COPY in the simple protocol, as `pg` lets a query of one's own take part ("Submittable"). */
abstract class Copy {
  /** `pg` wraps it to end its timer. */
  callback: (error: Error | null) => void;
  readonly done: Promise<void>;
  /** As the server's command tag counts them. */
  rows = 0;

  constructor(private readonly sql: string) {
    let settle!: { resolve: () => void; reject: (error: Error) => void };
    this.done = new Promise((resolve, reject) => (settle = { resolve, reject }));
    this.done.catch(() => undefined);
    this.callback = (error) => (error ? settle.reject(error) : settle.resolve());
  }

  submit(connection: Connection): void {
    connection.query(this.sql);
  }

  handleCommandComplete(message: { text: string }): void {
    this.rows = Number(/^COPY (\d+)/.exec(message.text)?.[1] ?? 0);
  }

  handleError(error: Error): void {
    this.callback(error);
  }

  handleReadyForQuery(): void {
    this.callback(null);
  }
}

class CopyOut extends Copy {
  constructor(
    sql: string,
    private readonly onChunk: (chunk: Buffer) => void,
  ) {
    super(sql);
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    this.onChunk(chunk);
  }
}

class CopyIn extends Copy {
  #begin: () => void = () => undefined;
  readonly begun = new Promise<void>((resolve) => (this.#begin = resolve));

  handleCopyInResponse(): void {
    this.#begin();
  }
}

/**
 * Streams a COPY from one server into another, with bounded memory: reading pauses while the target is behind.
 * @param what statements `COPY ... TO STDOUT` for the source and `COPY ... FROM STDIN` for the target
 * @returns the rows that the target took
 */
export async function copyAcross(
  source: Session,
  target: Session,
  what: { readonly out: string; readonly in: string },
): Promise<number> {
  const [from, to] = [connectionOf(source), connectionOf(target)];
  const goOn = () => from.stream.resume();
  const copyIn = new CopyIn(what.in);
  target.query(copyIn as never);
  to.stream.on('drain', goOn);
  try {
    await Promise.race([copyIn.begun, copyIn.done]);
    let parcel: Buffer[] = [];
    let parcelBytes = 0;
    const send = () => {
      if (parcelBytes > 0) to.sendCopyFromChunk(Buffer.concat(parcel));
      [parcel, parcelBytes] = [[], 0];
    };
    const copyOut = new CopyOut(what.out, (chunk) => {
      // Its memory is the reader's, who uses it again.
      parcel.push(Buffer.from(chunk));
      parcelBytes += chunk.length;
      if (parcelBytes < PARCEL_BYTES) return;
      send();
      if (to.stream.writableLength > WAITING_MAX_BYTES) from.stream.pause();
    });
    source.query(copyOut as never);
    await copyOut.done.then(
      () => {
        send();
        to.endCopyFrom();
      },
      (error: unknown) => {
        to.sendCopyFail('the source failed');
        throw error;
      },
    );
    await copyIn.done;
    if (copyIn.rows !== copyOut.rows)
      throw new Error(`${what.out} gave ${copyOut.rows} rows, the target took ${copyIn.rows}`);
    return copyIn.rows;
  } finally {
    to.stream.off('drain', goOn);
    goOn();
  }
}
