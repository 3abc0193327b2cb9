import { finalFailure } from '../../plan/failures';
import { publicationName } from '../../plan/names';
import type { Dependencies, MigrationRef } from '../dependencies';
import { findPublication, publicationMark } from './create-publications';
import {
  accessTo,
  escapeIdentifier,
  escapeLiteral,
  inEachDatabase,
  queryRows,
  type Session,
  withSession,
} from './session';

export interface QuarantineInput extends MigrationRef {
  readonly databases: readonly string[];
  readonly mark: string;
}

export interface Quarantined {
  readonly preparedTransactions: readonly string[];
  readonly slots: readonly string[];
}

/**
 * Checks that the clone is the clone of this run, then removes what the snapshot brought along and must not run there:
 * prepared transactions (they would block apply for ever, with no log line; the source sends them when they commit
 * there) and copied slots (they pin WAL and the catalog's xmin). Comes after the position is read: copied slots are
 * evidence for it.
 */
export async function quarantineClone(deps: Dependencies, input: QuarantineInput): Promise<Quarantined> {
  const access = await accessTo(deps, input, 'target');
  await inEachDatabase(access, input.databases, { step: 'quarantine', readOnly: true }, (session, database) =>
    requireMark(session, input, database),
  );
  const prepared = await withSession(access, { step: 'quarantine', database: 'postgres' }, (session) =>
    queryRows<{ gid: string; database: string; owner: string }>(
      session,
      'SELECT gid, database, owner FROM pg_prepared_xacts ORDER BY prepared',
    ),
  );
  for (const { gid, database, owner } of prepared) {
    await withSession(access, { step: 'quarantine', database }, (session) => rollBackPrepared(session, gid, owner));
  }
  const slots = await withSession(access, { step: 'quarantine', database: 'postgres' }, dropCopiedSlots);
  return { preparedTransactions: prepared.map(({ gid }) => gid), slots };
}

/** Only its owner or a superuser may roll a prepared transaction back. */
async function rollBackPrepared(session: Session, gid: string, owner: string): Promise<void> {
  await session.query(`SET ROLE ${escapeIdentifier(owner)}`);
  await session.query(`ROLLBACK PREPARED ${escapeLiteral(gid)}`);
}

async function requireMark(session: Session, input: QuarantineInput, database: string): Promise<void> {
  const name = publicationName(input.id);
  const found = await findPublication(session, name);
  if (found?.mark === publicationMark(input.id, input.mark)) return;
  throw finalFailure(
    'ProvenanceFailed',
    `Database ${database} of ${input.plan.target.instance} does not carry the mark that this run made on the source before the snapshot (publication ${escapeIdentifier(name)}: ${found ? (found.mark ?? 'no comment') : 'missing'}). The target is not the clone of this run: send abort.`,
  );
}

async function dropCopiedSlots(session: Session): Promise<string[]> {
  const slots = await queryRows<{ slot_name: string }>(
    session,
    `SELECT slot_name, pg_drop_replication_slot(slot_name)
       FROM pg_replication_slots WHERE slot_type = 'logical' AND NOT active`,
  );
  return slots.map(({ slot_name }) => slot_name);
}
