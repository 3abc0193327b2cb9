import { asyncLocalStorage } from '@temporalio/activity';
import type { DBInstance } from '@aws-sdk/client-rds';
import { escapeIdentifier, escapeLiteral, Client, type ClientConfig } from 'pg';
import { finalFailure } from '../../plan/failures';
import { renames } from '../../plan/instance-names';
import { applicationName } from '../../plan/names';
import { awsOf, type Dependencies, instanceOf, type MigrationRef, type Side, sideInPlan } from '../dependencies';
import { endpointOf, findInstance, requireInstance } from '../rds/find-instance';
import { isOurTarget, isTheSource } from '../rds/ownership';
import { requireSame } from '../rds/require-same';
import { readCredentials } from '../secrets/credentials';
import { answersOnly, PasswordMethodRefused } from './password-methods';
import { rememberPlaces } from './statement-place';

export { escapeIdentifier, escapeLiteral };
export type Session = Client;

export type { Side };

/** Where a server listens. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export interface SessionOptions {
  /** Goes into `application_name`. */
  readonly step: string;
  readonly database: string;
  /**
   * `statement_timeout` in milliseconds; default 60 s. A statement that may take longer than that is cancelled when its
   * activity is: an abort does not wait for it.
   */
  readonly statementTimeoutMs?: number;
  /**
   * `lock_timeout` in milliseconds; default 2 s, so that a statement of ours that waits for a lock never queues
   * production behind itself for long.
   */
  readonly lockTimeoutMs?: number;
  /** `default_transaction_read_only`; default off, also where a fence has made it the database's default. */
  readonly readOnly?: boolean;
  /** Ends the session, and what it is doing on the server, when it is aborted. */
  readonly signal?: AbortSignal;
}

const CONNECT_TIMEOUT_MS = 10_000;
const ANSWER_GRACE_MS = 5_000;
const DEFAULT_STATEMENT_TIMEOUT_MS = 60_000;
const DEFAULT_LOCK_TIMEOUT_MS = 2_000;

/** Endpoint and master credentials of one side, read once and used for several sessions. */
export interface Access {
  readonly migration: string;
  readonly endpoint: Endpoint;
  readonly credentials: Credentials;
  readonly rdsCaBundle: string;
}

/**
 * The secret that opens a side. The target is a physical copy of the source, so the source's master password opens both; but where RDS keeps
 * the password of the master user itself, it gives the target a secret and a password of its own.
 * @throws Error while RDS changes that password
 */
function secretOf(ref: MigrationRef, side: Side, { MasterUserSecret }: DBInstance): string {
  if (sideInPlan(ref, side) === 'source' || !MasterUserSecret?.SecretArn) return ref.plan.source.secret;
  const { SecretArn, SecretStatus } = MasterUserSecret;
  if (SecretStatus !== 'active') throw new Error(`secret ${SecretArn} of the target is ${SecretStatus ?? 'not ready'}`);
  return SecretArn;
}

/** RDS names the secrets that it manages like this, whatever instance they are of. */
const MANAGED = /(^|:secret:)rds!/;

/**
 * A secret that RDS manages opens the instance that it is of, and no other.
 * @throws ApplicationFailure AccessDenied for one of another instance
 */
function refuseSecretOfAnother(ref: MigrationRef, side: Side, secret: string, instance: DBInstance): void {
  if (sideInPlan(ref, side) !== 'source' || !MANAGED.test(secret)) return;
  const own = instance.MasterUserSecret?.SecretArn;
  // A secret may be named by its ARN, with or without the six characters at the end, or by its name.
  const names = own === undefined ? [] : [own, own.slice(0, -7), own.slice(0, -7).split(':').slice(6).join(':')];
  if (names.includes(secret)) return;
  throw finalFailure(
    'AccessDenied',
    `source.secret ${secret} is a secret that RDS manages for another instance than ${instance.DBInstanceIdentifier}${own === undefined ? ', whose password RDS does not manage' : `: that one's is ${own}`}. It was not read. Correct source.secret.`,
  );
}

/**
 * Looks up where the instance listens and how to log in. The address is RDS's word, never the plan's.
 * @throws ApplicationFailure ResourceGone when the instance doesn't exist, NotOurs when another one has its name by now, AccessDenied when the
 *   secret can't be read or is another instance's
 */
export async function accessTo(deps: Dependencies, ref: MigrationRef, side: Side): Promise<Access> {
  const aws = awsOf(deps, ref);
  const instance = await requireInstance(aws, instanceOf(ref, side));
  refuseAnother(ref, side, instance);
  const secret = secretOf(ref, side, instance);
  refuseSecretOfAnother(ref, side, secret, instance);
  const credentials = await readCredentials(aws, secret);
  return { migration: ref.id, endpoint: endpointOf(instance), credentials, rdsCaBundle: deps.rdsCaBundle };
}

/** A name can be given to another instance, by people or by a Blue/Green deployment: what is ours is not looked for, or made, there. */
function refuseAnother(ref: MigrationRef, side: Side, instance: DBInstance): void {
  const known = sideInPlan(ref, side) === 'target' ? ref.targetResourceId : ref.sourceResourceId;
  if (known === undefined) return;
  if (!renames(ref.plan)) return requireSame(instance, known, 'Keyshift does not log in there.');
  // Names are being exchanged: the next look finds them out.
  if (instance.DbiResourceId !== known)
    throw new Error(`${instance.DBInstanceIdentifier} is another instance at the moment: names are being exchanged`);
}

/** How both sides of a migration are reached. */
export interface Sides {
  readonly source: Access;
  readonly target: Access;
}

/** `accessTo` of both sides: for work of several parts, each of which would ask AWS again. */
export async function accessToBoth(deps: Dependencies, ref: MigrationRef): Promise<Sides> {
  const [source, target] = await Promise.all([accessTo(deps, ref, 'source'), accessTo(deps, ref, 'target')]);
  return { source, target };
}

/**
 * As `accessTo`, or undefined when the instance does not exist any more, or is another one by now: then there is nothing of ours to remove
 * from it, and no password of ours to be shown to it.
 */
export async function accessIfThere(deps: Dependencies, ref: MigrationRef, side: Side): Promise<Access | undefined> {
  const found = await findInstance(awsOf(deps, ref), instanceOf(ref, side));
  const isRight = sideInPlan(ref, side) === 'target' ? isOurTarget : isTheSource;
  return found && isRight(found, ref) ? accessTo(deps, ref, side) : undefined;
}

/**
 * Opens a session: TLS verified against the RDS bundle, timeouts set, recognisable by its `application_name`.
 * The caller ends it.
 * @throws ApplicationFailure AccessDenied when the server wants something else than this password, as RDS does of members of `rds_iam`
 */
export async function openSession(access: Access, options: SessionOptions): Promise<Session> {
  const statementTimeoutMs = options.statementTimeoutMs ?? DEFAULT_STATEMENT_TIMEOUT_MS;
  const config: ClientConfig = {
    host: access.endpoint.address,
    port: access.endpoint.port,
    user: access.credentials.username,
    database: options.database,
    application_name: applicationName(access.migration, options.step),
    // From the first moment on: an event trigger on login may write, and where a fence has made read-only the default it would refuse us, too.
    options: '-c default_transaction_read_only=off',
    ssl: { ca: access.rdsCaBundle, rejectUnauthorized: true },
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    // A server that is cut off answers nothing, not even its own timeout.
    query_timeout: statementTimeoutMs + ANSWER_GRACE_MS,
  };
  const client = new Client(config);
  // A connection that breaks while idle emits 'error'; the next query reports it to whoever needs the session.
  client.on('error', () => undefined);
  // RDS asks members of rds_iam for clear text, which a password is no good for.
  answersOnly(client, access.credentials.password, ['SCRAM', 'MD5']);
  try {
    await client.connect();
    await client.query(settingsOf(options));
    rememberPlaces(client, options);
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error instanceof PasswordMethodRefused ? noPassword(access, error) : error;
  }
  const signal = asyncLocalStorage.getStore()?.cancellationSignal;
  if (signal && statementTimeoutMs > DEFAULT_STATEMENT_TIMEOUT_MS) cancelWith(signal, client, access);
  if (options.signal) {
    cancelWith(options.signal, client, access);
    cutWith(options.signal, client);
  }
  return client;
}

/**
 * Settings of every session of ours, whatever the parameter group, `ALTER DATABASE` and `ALTER ROLE` say: every one that changes what a value
 * means or how it is spelt (comparisons rely on one spelling), whose rights we have, and what would end us. A table whose rows row-level
 * security would hide from us gives an error instead of a part of its rows. Idle sessions of ours stay: the parameter group may end them. Of a
 * database without an encoding everything is sent as it is: with the driver's UTF-8, the first byte that is none would be an error.
 * @see https://www.postgresql.org/docs/current/runtime-config-client.html and runtime-config-compatible.html
 */
export function settingsOf(options: Pick<SessionOptions, 'statementTimeoutMs' | 'lockTimeoutMs' | 'readOnly'>): string {
  // RESET ROLE would go back to what ALTER ROLE ... SET role says. quote_all_identifiers decides how the value of search_path is kept.
  return `SET ROLE NONE; SET quote_all_identifiers = off; SET statement_timeout = ${options.statementTimeoutMs ?? DEFAULT_STATEMENT_TIMEOUT_MS};
    SET lock_timeout = ${options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS};
    SET synchronous_commit = on; SET default_transaction_read_only = ${options.readOnly ? 'on' : 'off'}; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD';
    SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; SET extra_float_digits = 1; SET search_path = pg_catalog;
    SET lc_monetary = 'C'; SET lc_numeric = 'C'; SET xmlbinary = 'base64'; SET xmloption = 'content';
    SET array_nulls = on; SET transform_null_equals = off; SET default_transaction_isolation = 'read committed'; SET default_transaction_deferrable = off;
    SET standard_conforming_strings = on; SET row_security = off;
    SELECT set_config(name, '0', false) FROM pg_settings
     WHERE name IN ('idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')
     UNION ALL SELECT set_config('client_encoding', 'SQL_ASCII', false) WHERE current_setting('server_encoding') = 'SQL_ASCII'`;
}

/** What a login without SCRAM and MD5 ends in. */
const noPassword = ({ credentials, endpoint }: Access, { message }: PasswordMethodRefused) =>
  finalFailure(
    'AccessDenied',
    `${credentials.username} can't log in at ${endpoint.address}:${endpoint.port} with a password: ${message}. RDS asks whoever authenticates by IAM for a token in clear text: members of rds_iam, and a master user whose MasterUserAuthenticationType is iam-db-auth. Keyshift logs in with passwords only.`,
  );

/** The server process of a session. */
export const pidOf = (session: Session): number => (session as Session & { processID: number | null }).processID ?? 0;

/** The server goes on with a statement whose client only stops listening, so it has to be told. */
function cancelWith(signal: AbortSignal, client: Client, access: Access): void {
  const cancel = () => {
    const options = { step: 'cancel', database: 'postgres' };
    // Best effort: the activity ends in any case, and the timeout ends the statement.
    withSession(access, options, (session) => session.query('SELECT pg_cancel_backend($1)', [pidOf(client)])).catch(
      () => undefined,
    );
  };
  signal.addEventListener('abort', cancel, { once: true });
  client.once('end', () => signal.removeEventListener('abort', cancel));
}

/** Nobody waits for the answer of what was cancelled. */
function cutWith(signal: AbortSignal, client: Client): void {
  const cut = () => cutSession(client);
  if (signal.aborted) return cut();
  signal.addEventListener('abort', cut, { once: true });
  client.once('end', () => signal.removeEventListener('abort', cut));
}

/** A server that does not answer any more would be waited for. */
const END_TIMEOUT_MS = 2_000;

/** Cuts a session off at once: whatever is under way in it fails here. The server may go on with it. */
export function cutSession(session: Session): void {
  (session as unknown as { connection?: { stream?: { destroy(): void } } }).connection?.stream?.destroy();
}

/** Ends a session in good order, or cuts it off where the server does not answer. */
export async function endSession(session: Session): Promise<void> {
  const timer = setTimeout(() => cutSession(session), END_TIMEOUT_MS);
  try {
    await session.end();
  } catch {
    cutSession(session);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs `work` in a session that is ended afterwards. */
export async function withSession<T>(
  access: Access,
  options: SessionOptions,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await openSession(access, options);
  try {
    return await work(session);
  } finally {
    await endSession(session);
  }
}

/** Runs `work` in each database, one after the other. */
export async function inEachDatabase<T>(
  access: Access,
  databases: readonly string[],
  options: Omit<SessionOptions, 'database'>,
  work: (session: Session, database: string) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  for (const database of databases) {
    results.push(await withSession(access, { ...options, database }, (session) => work(session, database)));
  }
  return results;
}

/** The one row that a query must give. */
export async function queryOne<R extends object>(session: Session, sql: string, values: unknown[] = []): Promise<R> {
  const { rows } = await session.query<R>(sql, values);
  const row = rows[0];
  if (row === undefined || rows.length !== 1) throw new Error(`expected one row, got ${rows.length}: ${sql}`);
  return row;
}

/** The rows of a query. */
export async function queryRows<R extends object>(session: Session, sql: string, values: unknown[] = []): Promise<R[]> {
  return (await session.query<R>(sql, values)).rows;
}
