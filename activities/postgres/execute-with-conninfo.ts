import { createHash } from 'node:crypto';
import { queryOne, queryRows, type Session } from './session';

/** Extensions that keep the text of statements inside of a DO block, and the setting that turns each off. */
export const STATEMENT_TRACKERS = ['pg_stat_statements.track', 'pgaudit.log'] as const;

/** Bytes that look random to whoever doesn't know the key; the DO block below makes the same. */
function keystream(key: string, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let n = 0; n * 32 < length; n++) blocks.push(createHash('sha256').update(`${key}:${n}`).digest());
  return Buffer.concat(blocks);
}

/** Hides a text by a key, as hexadecimal digits. */
function masked(text: string, key: string): string {
  const bytes = Buffer.from(text, 'utf8');
  const stream = keystream(key, bytes.length);
  return Buffer.from(bytes.map((byte, index) => byte ^ (stream[index] ?? 0))).toString('hex');
}

/**
 * Runs a statement that has a connection string in the place of its one `%L`. That holds a password, and a server may log statements and their
 * parameters. So it travels hidden by a key that the server makes for this transaction and gives as a result, which no server logs; only
 * inside a DO block, whose inner statements no log has, it is itself. An error is raised anew there, without its context. A WARNING of the
 * statement would be logged with it: none may warn (`connect = false` does).
 */
export async function executeWithConninfo(session: Session, statement: string, connection: string): Promise<void> {
  await session.query('BEGIN');
  try {
    await trackNothing(session);
    const { key } = await queryOne<{ key: string }>(
      session,
      `SELECT set_config('keyshift.key', gen_random_uuid()::text || gen_random_uuid()::text, true) AS key`,
    );
    await session.query(`SELECT set_config('keyshift.conninfo', $1, true)`, [masked(connection, key)]);
    await session.query(
      `DO $keyshift$ DECLARE
         text bytea := decode(current_setting('keyshift.conninfo'), 'hex');
         stream bytea := '';
         n integer := 0;
       BEGIN
         WHILE length(stream) < length(text) LOOP
           stream := stream || sha256(convert_to(current_setting('keyshift.key') || ':' || n, 'UTF8'));
           n := n + 1;
         END LOOP;
         FOR i IN 0 .. length(text) - 1 LOOP
           text := set_byte(text, i, get_byte(text, i) # get_byte(stream, i));
         END LOOP;
         EXECUTE format('${statement}', convert_from(text, 'UTF8'));
       EXCEPTION WHEN OTHERS THEN
         RAISE EXCEPTION USING MESSAGE = SQLERRM, ERRCODE = SQLSTATE;
       END $keyshift$`,
    );
    await session.query('COMMIT');
  } catch (error) {
    await session.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/**
 * Turns off, for the rest of the transaction, what keeps the text of inner statements, where the session may.
 * @returns what stays on
 */
export async function trackNothing(session: Session): Promise<string[]> {
  const on = await queryRows<{ name: string }>(
    session,
    `SELECT name FROM pg_settings WHERE name = $1 AND setting = 'all' AND current_setting('pg_stat_statements.track_utility', true) = 'on'
         OR name = $2 AND setting ~* '\\m(all|ddl)\\M'`,
    [...STATEMENT_TRACKERS],
  );
  const left: string[] = [];
  for (const { name } of on) {
    await session.query('SAVEPOINT tracking');
    try {
      await session.query(`SELECT set_config($1, 'none', true)`, [name]);
    } catch {
      await session.query('ROLLBACK TO SAVEPOINT tracking');
      left.push(name);
    }
  }
  return left;
}
