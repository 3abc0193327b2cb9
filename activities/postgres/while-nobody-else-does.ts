import { isSqlState } from '../classify-error';
import type { Session } from './session';
import { SQLSTATE } from './sqlstates';

/** More collisions in a row than this are no coincidence; Temporal tries the activity again. */
const MOST_COLLISIONS = 5;

/**
 * Runs a statement on a role or a database that somebody else may be changing at the same moment, as RDS's own processes do: PostgreSQL takes no
 * lock for that, and the second one fails with an internal error.
 */
export async function whileNobodyElseDoes(session: Session, statement: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await session.query(statement);
      return;
    } catch (error) {
      const isCollision =
        isSqlState(error, SQLSTATE.internalError) && /concurrently updated/.test((error as Error).message);
      if (!isCollision || attempt === MOST_COLLISIONS) throw error;
    }
  }
}
