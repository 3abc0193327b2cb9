import type { Check } from '../../plan/checks';
import { queryRows, type Session } from '../postgres/session';

const code = 'source-subscriptions';

/** Names of the subscriptions of the whole server (`pg_subscription` is shared by all databases). */
export async function listSubscriptions(session: Session): Promise<string[]> {
  const rows = await queryRows<{ name: string }>(
    session,
    `SELECT d.datname || '.' || s.subname AS name FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

/** A copied subscription starts by itself on the clone and takes its upstream slot away from the source. */
export function checkSubscriptions(names: readonly string[]): Check {
  if (names.length === 0) return { code, level: 'ok', message: 'the source subscribes to nothing' };
  return {
    code,
    level: 'block',
    message: `The source subscribes to others (${names.join(', ')}): the clone would take their slots from it.`,
    remedy:
      'This version does not move subscribers. Drop the subscriptions, or wait for a version that quarantines them.',
  };
}
