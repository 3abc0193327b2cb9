import { EVIDENCE_MAX } from '../../plan/checks';
import { finalFailure } from '../../plan/failures';
import { publicationName } from '../../plan/names';
import type { Dependencies, MigrationRef } from '../dependencies';
import { type BareTable, bareTables, cheapestIdentity, whyNotFull } from '../preflight/schema/replica-identity';
import { findPublication } from './create-publications';
import { dropFenceTable } from './fence-table';
import {
  createIdentityRecord,
  LOCK_TIMEOUT_MS,
  readIdentities,
  restoreIdentities,
  setIdentity,
  whenLockIsFree,
} from './identity-record';
import { whoseSchema } from './provenance';
import { accessIfThere, accessTo, inEachDatabase, type Session, type Side } from './session';

/** What was set, for the note of the step. */
export interface SetIdentities {
  readonly tables: number;
  /** The first of them, with what they have now. */
  readonly found: readonly string[];
}

/**
 * Gives every table that has no usable replica identity the cheapest one, since UPDATE and DELETE would fail on the
 * source once it is published. What was there before is recorded in a table of ours in the same transaction: the target
 * has that record, too, by way of the snapshot.
 * @throws ApplicationFailure InvalidRequest where only a new key column would do
 */
export async function setReplicaIdentities(
  deps: Dependencies,
  input: MigrationRef & { databases: readonly string[] },
): Promise<SetIdentities> {
  const access = await accessTo(deps, input, 'source');
  const options = { step: 'replica-identity', lockTimeoutMs: LOCK_TIMEOUT_MS };
  const set = await inEachDatabase(access, input.databases, options, async (session, database) => {
    const bare = await bareTables(session);
    if (bare.length > 0) await createIdentityRecord(session, input.id);
    for (const table of bare) await setOne(session, input.id, database, table);
    return (await readIdentities(session, input.id)).map(({ relation, set }) => `${database}: ${relation} ${set}`);
  });
  const all = set.flat();
  return { tables: all.length, found: all.slice(0, EVIDENCE_MAX) };
}

async function setOne(session: Session, migration: string, database: string, table: BareTable): Promise<void> {
  const identity = cheapestIdentity(table);
  if (identity === undefined) {
    throw finalFailure(
      'InvalidRequest',
      `Database ${database}: ${table.name} has no usable replica identity, and REPLICA IDENTITY FULL would not do: ${whyNotFull(table)}. Give it a primary key, then send retry.`,
    );
  }
  await whenLockIsFree(`${database}: ${table.name}`, () => setIdentity(session, migration, table, identity));
}

/**
 * Undo: each table on one side that still has what we set gets back what it had. Does nothing where nothing was recorded.
 * After the publications are gone, on either side: with them, a table without replica identity takes no UPDATE.
 */
export async function restoreReplicaIdentities(
  deps: Dependencies,
  input: MigrationRef & { databases: readonly string[]; side: Side },
): Promise<{ tables: number }> {
  const access = await accessIfThere(deps, input, input.side);
  if (!access) return { tables: 0 };
  const options = { step: 'replica-identity' };
  const restored = await inEachDatabase(access, input.databases, options, async (session, database) => {
    if ((await whoseSchema(session, input.id)) !== 'ours') return 0;
    await refusePublished(session, input, database);
    const tables = await restoreIdentities(session, input.id, database);
    // It kept our schema when the rest of it went.
    await dropFenceTable(session, input.id);
    return tables;
  });
  return { tables: restored.reduce((sum, one) => sum + one, 0) };
}

/** @throws ApplicationFailure InUse while our publication is there: UPDATE and DELETE would fail on every table that loses its identity */
async function refusePublished(
  session: Session,
  { id, plan, side }: MigrationRef & { side: Side },
  database: string,
): Promise<void> {
  if (!(await findPublication(session, publicationName(id)))) return;
  throw finalFailure(
    'InUse',
    `Database ${database} of ${plan[side].instance} still has the publication ${publicationName(id)}: without a replica identity, its tables would take no UPDATE and no DELETE. Nothing was changed. Drop the publication if nothing is replicated any more, then send retry.`,
  );
}
