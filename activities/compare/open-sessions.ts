import { type Access, openSession, type Session } from '../postgres/session';

/** A day: one statement reads a chunk, but before PostgreSQL 14 a chunk is a whole table. */
const STATEMENT_TIMEOUT_MS = 24 * 3_600_000;
/** Whoever only reads and waits for a lock keeps nobody waiting who wasn't already. */
const LOCK_TIMEOUT_MS = 600_000;
/** We bring our own parallelism: no more than the plan allows. Hundreds of short statements aren't worth compiling. */
export const READER_SETTINGS = 'SET max_parallel_workers_per_gather = 0; SET jit = off';

export interface SessionsWanted {
  readonly access: Access;
  readonly count: number;
  readonly step: string;
  readonly database: string;
  readonly readOnly?: boolean;
}

/** Opens sessions for comparing on several servers; all or none. */
export async function openSessions<const Wanted extends readonly SessionsWanted[]>(
  wanted: Wanted,
): Promise<{ sessions: { [Place in keyof Wanted]: Session[] }; end(): Promise<void> }> {
  const all: Session[] = [];
  const end = async () => {
    await Promise.allSettled(all.map((session) => session.end()));
  };
  try {
    const sessions = await Promise.all(
      wanted.map(async ({ access, count, ...options }) => {
        const opened: Session[] = [];
        for (let n = 0; n < count; n++) {
          const timeouts = { statementTimeoutMs: STATEMENT_TIMEOUT_MS, lockTimeoutMs: LOCK_TIMEOUT_MS };
          const session = await openSession(access, { ...options, ...timeouts });
          all.push(session);
          opened.push(session);
          await session.query(READER_SETTINGS);
        }
        return opened;
      }),
    );
    return { sessions: sessions as { [Place in keyof Wanted]: Session[] }, end };
  } catch (error) {
    await end();
    throw error;
  }
}
