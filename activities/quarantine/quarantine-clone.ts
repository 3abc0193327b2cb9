import { databasesOf } from '../postgres/left-out';
import { finalFailure } from '../../plan/failures';
import { publicationName } from '../../plan/names';
import { type Dependencies, instanceOf, type MigrationRef } from '../dependencies';
import { findPublication, publicationMark } from '../postgres/create-publications';
import {
  type Access,
  accessTo,
  escapeIdentifier,
  escapeLiteral,
  inEachDatabase,
  queryRows,
  type Session,
  withSession,
} from '../postgres/session';
import { waitUntil } from '../wait';
import { activeJobs, installKeepOff, hasCron, setActive } from './cron-jobs';
import { closeTarget } from './read-only';
import { createRecords, noteRecords, type QuarantineRecord, readRecords } from './records';
import { detachSubscription, foreignSubscriptions, withWorker } from './subscriptions';
import { applyTriggers, switchTriggers } from './triggers';

export interface QuarantineInput extends MigrationRef {
  readonly databases: readonly string[];
  readonly mark: string;
}

/** What was removed, of which a second run finds less, and what was switched off, which it finds noted. */
export interface Quarantined {
  readonly preparedTransactions: readonly string[];
  readonly slots: readonly string[];
  readonly subscriptions: readonly string[];
  readonly cronJobs: readonly string[];
  readonly triggers: readonly string[];
  /** Databases with the setting, or with a role: their default is read-only until the switch. */
  readonly readOnly: readonly string[];
}

/**
 * Checks that the clone is the clone of this run, then switches off what the snapshot brought along and must not run there
 * yet, or not at all. Subscriptions first: they are rivals of the source's own. How each was before is noted on the target, for
 * `resumeNeighbours`. Comes after the position is read: copied slots are evidence for it.
 * @throws ApplicationFailure ProvenanceFailed, or AccessDenied where something isn't ours to switch off
 */
export async function quarantineClone(deps: Dependencies, input: QuarantineInput): Promise<Quarantined> {
  const access = await accessTo(deps, input, 'target');
  await inEachDatabase(access, input.databases, { step: 'quarantine', readOnly: true }, (session, database) =>
    requireMark(session, input, database),
  );
  const [first] = input.databases;
  if (first === undefined) throw new Error('no database to quarantine');
  return withSession(access, { step: 'quarantine', database: first }, async (home) => {
    await createRecords(home, input.id);
    const note = (records: readonly QuarantineRecord[]) => noteRecords(home, input.id, records);
    await detachSubscriptions(access, input, home, note);
    const preparedTransactions = await rollBackAllPrepared(access, home);
    const cron = await stopCronJobs(access, input, home, note);
    await stopTriggers(access, input, note);
    await closeTarget(home, {
      migration: input.id,
      masterUser: access.credentials.username,
      databases: input.databases,
      cron,
    });
    const slots = await dropCopiedSlots(home);
    const noted = async (kind: QuarantineRecord['kind']) =>
      (await readRecords(home, input.id, kind)).map(({ database, name }) => `${database} ${name}`);
    return {
      preparedTransactions,
      slots,
      subscriptions: await noted('subscription'),
      cronJobs: await noted('cron-job'),
      triggers: await noted('trigger'),
      readOnly: await noted('read-only'),
    };
  });
}

export type Note = (records: readonly QuarantineRecord[]) => Promise<void>;
const inDatabase = <T>(access: Access, database: string, work: (session: Session) => Promise<T>): Promise<T> =>
  withSession(access, { step: 'quarantine', database }, work);

async function detachSubscriptions(access: Access, migration: MigrationRef, home: Session, note: Note): Promise<void> {
  const found = (await foreignSubscriptions(home, migration)).filter(({ enabled, slot }) => enabled || slot !== null);
  for (const { database, name, ...was } of found) {
    await note([{ database, kind: 'subscription', name, was }]);
    await inDatabase(access, database, (session) => detachSubscription(session, name));
  }
  const names = found.map(({ name }) => name);
  await waitUntil(async () => {
    const running = await withWorker(home, names);
    return running.length === 0 ? { done: undefined } : { waitingFor: `workers of ${running.join(', ')} to end` };
  });
}

/** Prepared transactions would block apply for ever, with no log line; the source sends them when they commit there. */
async function rollBackAllPrepared(access: Access, home: Session): Promise<string[]> {
  const prepared = await queryRows<{ gid: string; database: string; owner: string }>(
    home,
    'SELECT gid, database, owner FROM pg_prepared_xacts ORDER BY prepared',
  );
  for (const { gid, database, owner } of prepared) {
    await inDatabase(access, database, (session) => rollBackPrepared(session, gid, owner));
  }
  return prepared.map(({ gid }) => gid);
}

/** Only its owner or a superuser may roll a prepared transaction back. */
async function rollBackPrepared(session: Session, gid: string, owner: string): Promise<void> {
  await session.query(`SET ROLE ${escapeIdentifier(owner)}`);
  await session.query(`ROLLBACK PREPARED ${escapeLiteral(gid)}`);
}

/** In whatever database of the server the extension is: its jobs run in all of them. Returns where it is. */
async function stopCronJobs(access: Access, input: QuarantineInput, home: Session, note: Note): Promise<string[]> {
  const withCron: string[] = [];
  for (const database of await connectableDatabases(home)) {
    await inDatabase(access, database, async (session) => {
      if (!(await hasCron(session))) return;
      withCron.push(database);
      const jobs = await activeJobs(session);
      await note(
        jobs.map(({ id, name, schedule }) => ({ database, kind: 'cron-job', name: id, was: { name, schedule } })),
      );
      await setActive(
        session,
        jobs.map(({ id }) => id),
        false,
      );
      if (input.databases.includes(database)) await installKeepOff(session, input.id);
    });
  }
  return withCron;
}

async function connectableDatabases(session: Session): Promise<string[]> {
  return (await databasesOf(session)).flatMap(({ name, closed }) => (closed ? [] : [name]));
}

/** Joined by dots; a part that has one itself is quoted, so that no two triggers have one label. */
const labelOf = (...parts: readonly string[]): string =>
  parts.map((part) => (/[."]/.test(part) ? escapeIdentifier(part) : part)).join('.');

/**
 * Switches off, on the side that changes come to, every trigger that would fire for what is applied.
 * @throws ApplicationFailure AccessDenied where one isn't ours to switch off
 */
export async function stopTriggers(
  access: Access,
  input: MigrationRef & { readonly databases: readonly string[] },
  note: Note,
): Promise<void> {
  for (const database of input.databases) {
    await inDatabase(access, database, async (session) => {
      const triggers = await applyTriggers(session, input.id);
      const foreign = triggers.find(({ ours }) => !ours);
      if (foreign) throw notOurs(input, database, foreign.schema, foreign.table, foreign.trigger, foreign.owner);
      await note(
        triggers.map((one) => ({
          database,
          kind: 'trigger',
          name: labelOf(one.schema, one.table, one.trigger),
          was: { ...one },
        })),
      );
      await switchTriggers(session, triggers, 'off');
      const [left] = await applyTriggers(session, input.id);
      if (left) throw notOurs(input, database, left.schema, left.table, left.trigger, left.owner);
    });
  }
}

function notOurs(
  ref: MigrationRef,
  database: string,
  ...[schema, table, trigger, owner]: [string, string, string, string]
) {
  return finalFailure(
    'AccessDenied',
    `Trigger ${trigger} on ${schema}.${table} (database ${database} of ${instanceOf(ref, 'target')}) fires for replicated rows, too, so what it writes would be there twice, and the master user may not switch it off. Let it become the owner (GRANT ${escapeIdentifier(owner)} TO CURRENT_USER; from PostgreSQL 16 on WITH INHERIT TRUE, SET TRUE) there, then send retry.`,
  );
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

/** They pin WAL and the catalog's xmin, and their readers are on the source. */
async function dropCopiedSlots(session: Session): Promise<string[]> {
  const slots = await queryRows<{ slot_name: string }>(
    session,
    `SELECT slot_name, pg_drop_replication_slot(slot_name)
       FROM pg_replication_slots WHERE slot_type = 'logical' AND NOT active`,
  );
  return slots.map(({ slot_name }) => slot_name);
}
