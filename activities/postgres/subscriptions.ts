import { finalFailure } from '../../plan/failures';
import { compareLsn, type Lsn } from '../../plan/lsn';
import { type Named, publicationName, replicationRole, slotName, subscriptionName } from '../../plan/names';
import { isSqlState } from '../classify-error';
import { dropDdlBlock } from '../drift/ddl-block';
import { refuseDrift } from '../drift/find-drift';
import { awsOf, type Dependencies, type MigrationRef, instanceOf } from '../dependencies';
import { whyApplyFails } from '../follow/apply-error';
import { endpointOf, requireInstance } from '../rds/find-instance';
import { ensureReplicationCredentials } from '../secrets/replication-secret';
import { waitUntil } from '../wait';
import { conninfo } from './conninfo';
import { grantConnectSql } from './database-grants';
import { executeWithConninfo } from './execute-with-conninfo';
import { followAll, listingName, withListing } from './listed-tables';
import { SQLSTATE } from './sqlstates';
import { subscriptionCatalog } from './subscription-catalog';
import {
  type Access,
  accessIfThere,
  accessTo,
  escapeIdentifier,
  inEachDatabase,
  queryOne,
  queryRows,
  type Session,
} from './session';

export interface SubscriptionsInput extends MigrationRef {
  readonly databases: readonly string[];
}

interface SubscriptionRow {
  oid: string;
  subenabled: boolean;
}

/** How long a subscription may take to get its worker and walsender going before we say that something is wrong. */
const START_TIMEOUT_MS = 120_000;

/**
 * Creates a disabled subscription in each database of the target. PostgreSQL connects to the source to do so, which
 * proves the network path, TLS and the password before anything depends on them. It knows all tables but those of RDS's own extensions. With `position` its origin is set there, so that
 * apply begins right behind what the clone holds.
 * @throws ApplicationFailure TargetCannotReachSource with PostgreSQL's own words, SchemaDrifted when a published table is missing
 */
export async function createSubscriptions(
  deps: Dependencies,
  input: SubscriptionsInput & { readonly position?: Lsn },
): Promise<void> {
  const aws = awsOf(deps, input);
  const source = endpointOf(await requireInstance(aws, instanceOf(input, 'source')));
  const credentials = await ensureReplicationCredentials(aws, input.id);
  const [publisher, access] = [await accessTo(deps, input, 'source'), await accessTo(deps, input, 'target')];
  await inEachDatabase(access, input.databases, { step: 'subscribe' }, async (session, database) => {
    if (input.direction !== 'back') await dropDdlBlock(session, input.id);
    const name = subscriptionName(input, database);
    if (!(await findSubscription(session, name))) {
      const bundle = await bundleOf(session);
      const origin = input.direction === 'back' && (await canFilterOrigins(session)) ? ', origin = none' : '';
      const connection = conninfo({ ...source, ...credentials, database, bundle });
      await withListing(publisher, { migration: input.id, database, step: 'subscribe' }, (publication) =>
        createDisabled(session, input, database, { connection, publication, more: origin }),
      ).catch(async (error: unknown) => {
        if (isSqlState(error, SQLSTATE.undefinedTable)) await refuseDrift(deps, input);
        throw error;
      });
    }
    await followAll(session, input.id, name);
  });
  const { position } = input;
  if (position !== undefined) await advanceOrigins(access, { ...input, position });
}

/**
 * What came by replication is not sent back (16+ on both sides, which have the same major version). Below, the forward direction ends
 * before the way back begins.
 */
async function canFilterOrigins(session: Session): Promise<boolean> {
  const { version } = await queryOne<{ version: number }>(
    session,
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  return version >= 160_000;
}

/** The bundle of authorities on the server that connects. */
export const bundleOf = async (session: Session): Promise<string> =>
  (await queryOne<{ bundle: string }>(session, `SELECT current_setting('ssl_ca_file') AS bundle`)).bundle;

/** @throws ApplicationFailure TargetCannotReachSource with PostgreSQL's own words */
async function createDisabled(
  session: Session,
  input: SubscriptionsInput,
  database: string,
  {
    connection,
    publication,
    more,
  }: { readonly connection: string; readonly publication: string; readonly more: string },
): Promise<void> {
  const options = `enabled = false, create_slot = false, copy_data = false, slot_name = ${escapeIdentifier(slotName(input, database))}${more}`;
  const statement = `CREATE SUBSCRIPTION ${escapeIdentifier(subscriptionName(input, database))} CONNECTION %L PUBLICATION ${escapeIdentifier(publication)} WITH (${options})`;
  try {
    await executeWithConninfo(session, statement, connection);
  } catch (error) {
    // A table that came to the source after the snapshot: the caller says what the target lacks.
    if (isSqlState(error, SQLSTATE.undefinedTable)) throw error;
    if (!isSqlState(error, CONNECTION_FAILURE)) throw error;
    const { message } = error as Error;
    throw finalFailure(
      'TargetCannotReachSource',
      `${instanceOf(input, 'target')} cannot connect to ${instanceOf(input, 'source')} (database ${database}): ${message}. ${whatToDo(message, input, database)}, then send retry.`,
    );
  }
}

/** What lets the target in. A source that answers was reached. */
function whatToDo(message: string, { id }: SubscriptionsInput, database: string): string {
  if (/permission denied for database/.test(message))
    return `Let the replication role in, on the source: ${grantConnectSql(database, replicationRole(id))}`;
  if (/FATAL:/.test(message)) return 'The source was reached, and refuses the connection: correct that there';
  return "Let the target's security group reach the source's port";
}

/** sqlclient_unable_to_establish_sqlconnection / connection_failure: "could not connect to the publisher". */
const CONNECTION_FAILURE = '08006';

export async function findSubscription(session: Session, name: string): Promise<SubscriptionRow | undefined> {
  const rows = await queryRows<SubscriptionRow>(
    session,
    `SELECT s.oid::text, s.subenabled FROM ${await subscriptionCatalog(session)} s
       JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()
      WHERE s.subname = $1`,
    [name],
  );
  return rows[0];
}

/** Name of a subscription's replication origin. */
export const originOf = ({ oid }: SubscriptionRow): string => `pg_${oid}`;

/** @throws ApplicationFailure ResourceGone when there is none of that name in this database */
export async function requireSubscription(session: Session, name: string): Promise<SubscriptionRow> {
  const found = await findSubscription(session, name);
  if (!found) throw finalFailure('ResourceGone', `Subscription ${name} does not exist on the target any more.`);
  return found;
}

/**
 * Sets each subscription's origin to the position, so that apply begins right behind what the clone holds. Never touches
 * a subscription that is enabled already: its origin moves by itself, and setting it back would apply changes twice.
 * @see https://www.postgresql.org/docs/current/functions-admin.html#PG-REPLICATION-ORIGIN-ADVANCE
 */
async function advanceOrigins(access: Access, input: SubscriptionsInput & { position: Lsn }): Promise<void> {
  await inEachDatabase(access, input.databases, { step: 'subscribe' }, async (session, database) => {
    const subscription = await requireSubscription(session, subscriptionName(input, database));
    if (subscription.subenabled) return;
    const origin = originOf(subscription);
    await session.query('SELECT pg_replication_origin_advance($1, $2::pg_lsn)', [origin, input.position]);
    const progress = await originProgress(session, origin);
    if (!progress || compareLsn(progress, input.position) !== 0) {
      throw new Error(
        `origin ${origin} of database ${database} stands at ${progress ?? 'nothing'}, not at ${input.position}`,
      );
    }
  });
}

/** Position on the source up to which a subscription's origin has applied and flushed. */
export async function originProgress(session: Session, origin: string): Promise<Lsn | undefined> {
  const { lsn } = await queryOne<{ lsn: string | null }>(
    session,
    'SELECT pg_replication_origin_progress($1, true)::text AS lsn',
    [origin],
  );
  return lsn ?? undefined;
}

/** The same of many origins in one round trip: those of every database are in sight from each. */
export async function originsProgress(session: Session, origins: readonly string[]): Promise<Map<string, Lsn>> {
  const rows = await queryRows<{ origin: string; lsn: string | null }>(
    session,
    `SELECT roname AS origin, pg_replication_origin_progress(roname, true)::text AS lsn
       FROM pg_replication_origin WHERE roname = ANY ($1::text[])`,
    [origins],
  );
  return new Map(rows.flatMap(({ origin, lsn }) => (lsn === null ? [] : [[origin, lsn]])));
}

/** Position on the source up to which a subscription has applied; undefined when there is no such subscription. */
export async function appliedUpTo(session: Session, name: string): Promise<Lsn | undefined> {
  const subscription = await findSubscription(session, name);
  return subscription && originProgress(session, originOf(subscription));
}

/** Enables each subscription and waits until its worker runs and its slot on the source is read from. */
export async function enableSubscriptions(
  deps: Dependencies,
  input: SubscriptionsInput & { position: Lsn },
): Promise<void> {
  const access = await accessTo(deps, input, 'target');
  await inEachDatabase(access, input.databases, { step: 'subscribe' }, async (session, database) => {
    const name = subscriptionName(input, database);
    const subscription = await requireSubscription(session, name);
    // Of each database by itself: before 16, the launcher starts one worker in 5 s (wal_retrieve_retry_interval).
    const giveUpAt = Date.now() + START_TIMEOUT_MS;
    if (!subscription.subenabled) await enableFrom(session, subscription, name, input.position);
    await waitUntil(async () => {
      if (await isReceiving(session, name)) return { done: undefined };
      if (Date.now() > giveUpAt) {
        const { text } = await whyApplyFails(deps, input, { name, origin: originOf(subscription) });
        throw finalFailure(
          'SubscriptionFailed',
          `Subscription ${name} in database ${database} of ${instanceOf(input, 'target')} is enabled but has no worker. ${text} Correct it, then send retry.`,
        );
      }
      return { waitingFor: `worker of ${name}` };
    });
  });
}

/**
 * Advancing an origin alone is not flushed: a crash of the target within the next moments would lose it, and apply would
 * begin too early. In one transaction with the ENABLE, whose commit is flushed, the two are there or not together.
 */
async function enableFrom(session: Session, subscription: SubscriptionRow, name: string, position: Lsn): Promise<void> {
  await session.query('BEGIN');
  try {
    await session.query('SELECT pg_replication_origin_advance($1, $2::pg_lsn)', [originOf(subscription), position]);
    await session.query(`ALTER SUBSCRIPTION ${escapeIdentifier(name)} ENABLE`);
    await session.query('COMMIT');
  } catch (error) {
    await session.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

async function isReceiving(session: Session, name: string): Promise<boolean> {
  const rows = await queryRows(
    session,
    'SELECT 1 FROM pg_stat_subscription WHERE subname = $1 AND pid IS NOT NULL AND received_lsn IS NOT NULL',
    [name],
  );
  return rows.length > 0;
}

/**
 * Drops our subscriptions on the target without touching the slots on the source, which have a step of their own. One of our name that
 * subscribes to something else than our publication is somebody else's.
 * @see https://www.postgresql.org/docs/current/sql-dropsubscription.html
 */
export async function dropSubscriptions(deps: Dependencies, input: SubscriptionsInput): Promise<void> {
  const access = await accessIfThere(deps, input, 'target');
  if (!access) return;
  await inEachDatabase(access, input.databases, { step: 'unsubscribe' }, async (session, database) => {
    const name = subscriptionName(input, database);
    if (!(await isOurSubscription(session, input.id, name))) return;
    const quoted = escapeIdentifier(name);
    await session.query(`ALTER SUBSCRIPTION ${quoted} DISABLE`);
    await session.query(`ALTER SUBSCRIPTION ${quoted} SET (slot_name = NONE)`);
    await session.query(`DROP SUBSCRIPTION ${quoted}`);
  });
}

async function isOurSubscription(session: Session, migration: string, name: string): Promise<boolean> {
  const rows = await queryRows(
    session,
    `SELECT 1 FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()
      WHERE s.subname = $1 AND s.subpublications <@ $2::text[]`,
    [name, [publicationName(migration), listingName(migration)]],
  );
  return rows.length > 0;
}

/**
 * Lets apply confirm each commit at once instead of with the next round of the WAL writer: the drain then takes about a
 * millisecond instead of 200 (docs/performance.md). Costs a flush per transaction, so it comes shortly before the pause.
 */
export async function confirmAtOnce(session: Session, migration: Named, database: string): Promise<void> {
  await session.query(
    `ALTER SUBSCRIPTION ${escapeIdentifier(subscriptionName(migration, database))} SET (synchronous_commit = on)`,
  );
}
