import { postgresName, publicationName } from '../../plan/names';
import { USER_SCHEMAS } from '../preflight/sql-check';
import { outOfReach } from './extension-tables';
import { whenLockIsFree } from './identity-record';
import { provenanceOf } from './provenance';
import {
  type Access,
  escapeIdentifier,
  escapeLiteral,
  queryOne,
  queryRows,
  type Session,
  withSession,
} from './session';

/** A publication that names tables, for the moment in which a subscription reads which there are. `activities/drift/` knows its ending. */
export const listingName = (migration: string): string => postgresName(migration, 'tables', '__');

/** So many tables are added in one statement: each is locked until its end. */
const AT_ONCE = 200;

/** Tables that a publication of all tables has, as `pg_class` and `pg_namespace`. */
const PUBLISHED = `FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND ${USER_SCHEMAS}`;

/**
 * Lets a subscription read a list of tables without those of RDS's own extensions, which belong to `rdsadmin`: the publication has them, since it is one of all
 * tables, but apply may not write into them, and a subscription that knows a table stops at its first change. What comes for a table that it does
 * not know it skips. So it learns its tables from a publication that names them, which is there only while `work` runs.
 * @param publisher whose tables they are; every one has to be ours, as a member of its owner
 * @param work gets the name of the publication to read from: our own where there is nothing to leave out
 * @see https://www.postgresql.org/docs/current/catalog-pg-subscription-rel.html
 */
export async function withListing<T>(
  publisher: Access,
  { migration, database, step }: { readonly migration: string; readonly database: string; readonly step: string },
  work: (publication: string) => Promise<T>,
): Promise<T> {
  return withSession(publisher, { step, database }, async (session) => {
    const { leavesOut } = await queryOne<{ leavesOut: boolean }>(
      session,
      `SELECT EXISTS (SELECT ${PUBLISHED} AND ${outOfReach()}) AS "leavesOut"`,
    );
    if (!leavesOut) return work(publicationName(migration));
    await dropListing(session, migration);
    try {
      await createListing(session, migration, database);
      return await work(listingName(migration));
    } finally {
      await dropListing(session, migration);
    }
  });
}

async function createListing(session: Session, migration: string, database: string): Promise<void> {
  const listing = escapeIdentifier(listingName(migration));
  const rows = await queryRows<{ name: string }>(
    session,
    `SELECT format('%I.%I', n.nspname, c.relname) AS name ${PUBLISHED} AND NOT ${outOfReach()} ORDER BY 1`,
  );
  await session.query(
    `BEGIN; CREATE PUBLICATION ${listing}; COMMENT ON PUBLICATION ${listing} IS ${escapeLiteral(provenanceOf(migration))}; COMMIT`,
  );
  for (let from = 0; from < rows.length; from += AT_ONCE) {
    const names = rows.slice(from, from + AT_ONCE).map(({ name }) => `ONLY ${name}`);
    // SHARE UPDATE EXCLUSIVE: it waits for VACUUM and other DDL, and holds no reader or writer up.
    await whenLockIsFree(`tables of ${database}`, async () => {
      await session.query(`ALTER PUBLICATION ${listing} ADD TABLE ${names.join(', ')}`);
    });
  }
}

/** Drops the list of an attempt that died, or of this one; one of somebody else stays. */
export async function dropListing(session: Session, migration: string): Promise<void> {
  const [ours] = await queryRows(
    session,
    `SELECT 1 FROM pg_publication WHERE pubname = $1 AND obj_description(oid, 'pg_publication') = $2`,
    [listingName(migration), provenanceOf(migration)],
  );
  if (ours) await session.query(`DROP PUBLICATION ${escapeIdentifier(listingName(migration))}`);
}

/** Lets a subscription follow our publication of all tables, if it still names the list: the tables that it knows stay. */
export async function followAll(subscriber: Session, migration: string, subscription: string): Promise<void> {
  const [stillList] = await queryRows(
    subscriber,
    `SELECT 1 FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()
      WHERE s.subname = $1 AND s.subpublications = ARRAY[$2]::text[]`,
    [subscription, listingName(migration)],
  );
  if (stillList)
    await subscriber.query(
      `ALTER SUBSCRIPTION ${escapeIdentifier(subscription)} SET PUBLICATION ${escapeIdentifier(publicationName(migration))} WITH (refresh = false)`,
    );
}
