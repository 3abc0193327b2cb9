import { queryOne, type Session } from './session';

/** By session: what it asks is the same for as long as it lasts. */
const KNOWN = new WeakMap<Session, Promise<string>>();

/**
 * On PostgreSQL 13 the column `oid` of `pg_subscription` is a superuser's alone, though its view `pg_stat_subscription` shows it to everybody, by name and for all
 * databases. Names are unique in a database only; the catalog of its tables is the database's own. Of several with one name, only the
 * session's own, with a table, is told apart; the others are left out.
 */
const BEFORE_14 = `(
  SELECT b.subdbid, b.subname, b.subowner, b.subenabled, b.subslotname, b.subpublications, w.subid AS oid
    FROM pg_subscription b JOIN (SELECT DISTINCT subid, subname FROM pg_stat_subscription) w ON w.subname = b.subname
   WHERE (SELECT count(DISTINCT u.subid) FROM pg_stat_subscription u WHERE u.subname = b.subname) = 1
      OR b.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND w.subid IN (SELECT srsubid FROM pg_subscription_rel))`;

/**
 * What to read subscriptions from where their oid is needed, in SQL to be given an alias: `pg_subscription`, or on PostgreSQL 13 what a role that is no superuser
 * can know. Asks the server once per session.
 * @see https://www.postgresql.org/docs/13/catalog-pg-subscription.html
 */
export function subscriptionCatalog(session: Session): Promise<string> {
  const known = KNOWN.get(session);
  if (known) return known;
  const asked = queryOne<{ before14: boolean }>(
    session,
    `SELECT current_setting('server_version_num')::int < 140000 AS "before14"`,
  ).then(({ before14 }) => (before14 ? BEFORE_14 : 'pg_subscription'));
  KNOWN.set(session, asked);
  asked.catch(() => KNOWN.delete(session));
  return asked;
}
