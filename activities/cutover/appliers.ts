import { type Named, subscriptionName } from '../../plan/names';
import { queryRows, type Session } from '../postgres/session';

/** An apply worker of a subscription that isn't ours. */
interface Applier {
  readonly name: string;
  readonly database: string;
}

/**
 * Subscriptions of others whose apply worker runs on the source, each as a sentence: a worker doesn't log in, so no fence stops it, and
 * it writes with the rights of the subscription's owner.
 */
export async function foreignAppliers(source: Session, migration: Named): Promise<string[]> {
  const found = await queryRows<Applier>(
    source,
    `SELECT DISTINCT s.subname AS name, d.datname AS database
       FROM pg_stat_subscription w JOIN pg_stat_activity a ON a.pid = w.pid JOIN pg_database d ON d.datname = a.datname
       JOIN pg_subscription s ON s.subname = w.subname AND s.subdbid = d.oid ORDER BY 2, 1`,
  );
  return found
    .filter(({ name, database }) => name !== subscriptionName(migration, database))
    .map(
      ({ name, database }) =>
        `subscription ${name} in database ${database} goes on writing in spite of the fence: ALTER SUBSCRIPTION ${name} DISABLE, or let it move, in the plan: carry: { subscriptions: move }`,
    );
}
