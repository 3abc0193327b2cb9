import { finalFailure } from '../../plan/failures';
import { fenceSchema } from '../../plan/names';
import { escapeIdentifier, escapeLiteral, queryRows, type Session } from './session';

/** The comment on what a migration makes in PostgreSQL, where there are no tags. */
export const provenanceOf = (migration: string): string => `keyshift ${migration}`;

/** Whose a thing is; `none`: there is no such thing. */
export type Whose = 'none' | 'ours' | 'foreign';

/** Tables of ours by which a schema is known that a build before the comments has made. */
const TABLES = ['fence', 'cutover', 'replica_identity', 'quarantine', 'large_objects'];

/** Whose the schema of our name is: ours by its comment, or, without one, by the tables of ours in it. */
export async function whoseSchema(session: Session, migration: string): Promise<Whose> {
  const [found] = await queryRows<{ comment: string | null; tables: boolean }>(
    session,
    `SELECT obj_description(n.oid, 'pg_namespace') AS comment,
            EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind = 'r' AND c.relname = ANY ($2::text[])) AS tables
       FROM pg_namespace n WHERE n.nspname = $1`,
    [fenceSchema(migration), TABLES],
  );
  if (!found) return 'none';
  if (found.comment === provenanceOf(migration)) return 'ours';
  return found.comment === null && found.tables ? 'ours' : 'foreign';
}

/**
 * Makes our schema, with the comment that says whose it is. Adopts the one of an earlier attempt.
 * @throws ApplicationFailure NotOurs for one that somebody else made under its name
 */
export async function createOurSchema(session: Session, migration: string): Promise<void> {
  const name = escapeIdentifier(fenceSchema(migration));
  if ((await whoseSchema(session, migration)) === 'foreign') {
    throw finalFailure(
      'NotOurs',
      `Database ${session.database} has a schema ${name} that this migration did not make. Keyshift leaves it alone: find out whose it is, rename or drop it, then send retry.`,
    );
  }
  await session.query(
    `BEGIN;
     CREATE SCHEMA IF NOT EXISTS ${name};
     COMMENT ON SCHEMA ${name} IS ${escapeLiteral(provenanceOf(migration))};
     COMMIT`,
  );
}
