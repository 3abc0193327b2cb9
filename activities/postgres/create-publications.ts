import { finalFailure } from '../../plan/failures';
import { publicationName } from '../../plan/names';
import type { Dependencies, MigrationRef } from '../dependencies';
import { giveIdentities } from '../guard/give-identities';
import { bareTables } from '../preflight/schema/replica-identity';
import { createDdlBlock } from '../drift/ddl-block';
import { createRecords } from '../quarantine/records';
import { createFenceTable, dropFenceTable } from './fence-table';
import { createIdentityRecord, restoreIdentities } from './identity-record';
import { dropListing } from './listed-tables';
import { refuseOtherMigrations } from './other-migrations';
import { whoseSchema } from './provenance';
import {
  accessIfThere,
  accessTo,
  escapeIdentifier,
  escapeLiteral,
  inEachDatabase,
  queryRows,
  type Session,
} from './session';

export interface PublicationsInput extends MigrationRef {
  readonly databases: readonly string[];
  /** Provenance: random, made by the workflow; has to be on the clone. */
  readonly mark: string;
}

export const publicationMark = (migration: string, mark: string): string => `keyshift ${migration} ${mark}`;

/**
 * In each database: the fence table, the refusal of DDL if the plan wants it, a publication of all tables, and on it the provenance mark. `FOR ALL TABLES` because
 * the master user of RDS may make such a publication without owning the tables, and so that a table that is created
 * meanwhile is not left out in silence.
 * @see https://www.postgresql.org/docs/current/sql-createpublication.html
 */
export async function createPublications(deps: Dependencies, input: PublicationsInput): Promise<void> {
  const access = await accessTo(deps, input, 'source');
  const name = publicationName(input.id);
  await inEachDatabase(access, input.databases, { step: 'publication' }, async (session, database) => {
    const found = await findPublication(session, name);
    if (found && found.mark !== publicationMark(input.id, input.mark)) {
      throw finalFailure(
        'NotOurs',
        `Database ${database} of ${input.plan.source.instance} has a publication ${name} that is not of this run (comment: ${found.mark ?? 'none'}). If it is a leftover, drop it and send retry: DROP PUBLICATION ${name};`,
      );
    }
    if (found) return;
    await refuseOtherMigrations(session, input.id, input.plan.source.instance);
    await refuseBareTables(session, database);
    await createFenceTable(session, input.id);
    await createIdentityRecord(session, input.id);
    // Before the publication, and so in the snapshot: a table that came later would be one to copy, which takes a worker.
    if (database === input.databases[0]) await createRecords(session, input.id);
    await createDdlBlock(session, input);
    await session.query(
      `BEGIN;
       CREATE PUBLICATION ${escapeIdentifier(name)} FOR ALL TABLES;
       COMMENT ON PUBLICATION ${escapeIdentifier(name)} IS ${escapeLiteral(publicationMark(input.id, input.mark))};
       COMMIT`,
    );
    // What came between that look and the publication; from here on the slots' step and the guard look.
    await giveIdentities(session, input, database);
  });
}

/** The preflight may be days old by now, and a table made since would break the application at once. */
async function refuseBareTables(session: Session, database: string): Promise<void> {
  const bare = (await bareTables(session)).map(({ name }) => name);
  if (bare.length === 0) return;
  throw finalFailure(
    'InvalidRequest',
    `Database ${database}: ${bare.join(', ')} came after the preflight and has no usable replica identity: UPDATE and DELETE on it would fail once it is published. Give it a primary key or REPLICA IDENTITY FULL, then send retry.`,
  );
}

/** Undo: publication and our tables go where they are ours, in every database that still exists; replica identities are as they were. */
export async function dropPublications(
  deps: Dependencies,
  input: MigrationRef & { databases: readonly string[] },
): Promise<void> {
  const access = await accessIfThere(deps, input, 'source');
  if (!access) return;
  await inEachDatabase(access, input.databases, { step: 'undo-publication' }, (session, database) =>
    unpublish(session, input.id, database),
  );
}

/**
 * Drops our publication in one database, restores the replica identities that were given while it was there, and drops our tables. Where
 * somebody else's publication has our name, identities and their record stay: its tables need them.
 */
export async function unpublish(session: Session, migration: string, database: string): Promise<void> {
  await dropPublication(session, migration);
  const isOurs = (await whoseSchema(session, migration)) === 'ours';
  if (isOurs && !(await findPublication(session, publicationName(migration)))) {
    await restoreIdentities(session, migration, database);
  }
  await dropFenceTable(session, migration);
}

/** Drops our publication in one database: the one whose comment names this migration. */
export async function dropPublication(session: Session, migration: string): Promise<void> {
  await dropListing(session, migration);
  const name = publicationName(migration);
  const found = await findPublication(session, name);
  if (!found?.mark?.startsWith(publicationMark(migration, ''))) return;
  await session.query(`DROP PUBLICATION IF EXISTS ${escapeIdentifier(name)}`);
}

/** The publication's comment, or undefined when there is no such publication. */
export async function findPublication(session: Session, name: string): Promise<{ mark: string | null } | undefined> {
  const rows = await queryRows<{ mark: string | null }>(
    session,
    `SELECT obj_description(oid, 'pg_publication') AS mark FROM pg_publication WHERE pubname = $1`,
    [name],
  );
  return rows[0];
}
