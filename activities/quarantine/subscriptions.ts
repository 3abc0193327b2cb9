import { type Named, subscriptionName } from '../../plan/names';
import { escapeIdentifier, queryRows, type Session } from '../postgres/session';
import { subscriptionCatalog } from '../postgres/subscription-catalog';

/** A subscription that isn't ours. */
export interface ForeignSubscription {
  readonly database: string;
  readonly name: string;
  /** Slot on its publisher; null: detached. */
  readonly slot: string | null;
  readonly enabled: boolean;
  /** Its tables, all of them copied (`srsubstate = 'r'`); only known in its own database. */
  readonly publications: readonly string[];
}

/** Subscriptions of the whole server but ours; `pg_subscription` is shared by all databases. */
export async function foreignSubscriptions(session: Session, migration: Named): Promise<ForeignSubscription[]> {
  const all = await queryRows<ForeignSubscription>(
    session,
    `SELECT d.datname AS database, s.subname AS name, s.subslotname AS slot, s.subenabled AS enabled, s.subpublications AS publications
       FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
      ORDER BY 1, 2`,
  );
  return all.filter(({ database, name }) => name !== subscriptionName(migration, database));
}

/**
 * Takes a copied subscription off its slot, in its own database: disabled, and without the slot's name, so that nobody can
 * enable it by mistake, and dropping it does not drop the slot that the source reads from.
 * @see https://www.postgresql.org/docs/current/sql-altersubscription.html
 */
export async function detachSubscription(session: Session, name: string): Promise<void> {
  const quoted = escapeIdentifier(name);
  await session.query(`ALTER SUBSCRIPTION ${quoted} DISABLE`);
  await session.query(`ALTER SUBSCRIPTION ${quoted} SET (slot_name = NONE)`);
}

/** Names of those subscriptions whose apply worker runs. */
export async function withWorker(session: Session, names: readonly string[]): Promise<string[]> {
  const rows = await queryRows<{ name: string }>(
    session,
    'SELECT DISTINCT subname AS name FROM pg_stat_subscription WHERE pid IS NOT NULL AND subname = ANY ($1::text[])',
    [names],
  );
  return rows.map(({ name }) => name);
}

/** Tables of a subscription whose first copy is not over, in the subscription's own database. */
export async function tablesStillCopied(session: Session, name: string): Promise<string[]> {
  const rows = await queryRows<{ label: string }>(
    session,
    `SELECT r.srrelid::regclass::text AS label FROM pg_subscription_rel r JOIN ${await subscriptionCatalog(session)} s ON s.oid = r.srsubid
      WHERE s.subname = $1 AND r.srsubstate <> 'r' ORDER BY 1`,
    [name],
  );
  return rows.map(({ label }) => label);
}
