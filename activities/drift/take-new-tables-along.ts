import { finalFailure } from '../../plan/failures';
import { fenceSchema, type Named, publicationName, replicationRole, subscriptionName } from '../../plan/names';
import type { Dependencies } from '../dependencies';
import { type EachDatabase, type LookOptions, oneByOne } from '../each-database';
import { outOfReach } from '../postgres/extension-tables';
import { followAll, withListing } from '../postgres/listed-tables';
import {
  type Access,
  accessToBoth,
  escapeIdentifier,
  escapeLiteral,
  queryOne,
  queryRows,
  type Session,
  type Sides,
  withSession,
} from '../postgres/session';
import { subscriptionCatalog } from '../postgres/subscription-catalog';
import { refuseFailingApply } from '../follow/refuse-failing-apply';
import { waitUntil } from '../wait';
import type { DriftInput } from './find-drift';

interface NewTable {
  /** As SQL writes it. */
  readonly name: string;
  readonly schema: string;
  readonly owner: string;
  readonly rowSecurity: boolean;
}

/**
 * Tables that were made on the source since the subscription and are on both sides by now: the subscription learns of them and
 * copies their rows. Waits until every table of every subscription is in step. Does nothing where there are none.
 * @throws ApplicationFailure SchemaDrifted for a table whose rows row-level security would hide; SubscriptionFailed when the copy fails again and again
 * @see https://www.postgresql.org/docs/current/sql-altersubscription.html#SQL-ALTERSUBSCRIPTION-PARAMS-REFRESH-PUBLICATION
 */
export async function takeNewTablesAlong(
  deps: Dependencies,
  input: DriftInput,
  each: EachDatabase = oneByOne,
  sides?: Sides,
): Promise<string[]> {
  const { source, target } = sides ?? (await accessToBoth(deps, input));
  const taken = await each('new tables', input.databases, (database, look) =>
    withSession(target, { step: 'new-tables', database, ...look }, async (session) => {
      const subscription = subscriptionName(input, database);
      await followAll(session, input.id, subscription);
      const fresh = await newTables(source, session, input, database);
      if (fresh.length > 0) {
        refuseHiddenRows(input, fresh);
        await allowReading(source, input.id, database, fresh);
        await withListing(source, { migration: input.id, database, step: 'new-tables' }, (publication) =>
          learnTables(session, input.id, subscription, publication),
        );
      }
      await untilInStep(session, subscription, () => refuseFailingApply(deps, input));
      return fresh.map(({ name }) => `${database}: ${name}`);
    }),
  );
  // Not before all are in step: what allows a role to read everything is one for all databases, whose copies may go on side by side.
  if (taken.length === input.databases.length) {
    await each('new tables', input.databases, (database, look) => forbidReading(source, input.id, database, look));
  }
  return taken.flat();
}

/** Where there are tables to leave out, from the list that leaves them out; a subscription can do that outside of a transaction only. */
async function learnTables(
  target: Session,
  migration: string,
  subscription: string,
  publication: string,
): Promise<void> {
  const altered = `ALTER SUBSCRIPTION ${escapeIdentifier(subscription)}`;
  if (publication === publicationName(migration))
    return void (await target.query(`${altered} REFRESH PUBLICATION WITH (copy_data = true)`));
  await target.query(
    `${altered} SET PUBLICATION ${escapeIdentifier(publication)} WITH (refresh = true, copy_data = true)`,
  );
  await followAll(target, migration, subscription);
}

/**
 * Published tables that are on the target, but that its subscription doesn't know: what comes for them is skipped in silence. And those that an
 * earlier attempt has begun to copy. A table of ours is none of them: nothing of what one side writes there later is wanted on the other.
 */
async function newTables(access: Access, target: Session, migration: Named, database: string): Promise<NewTable[]> {
  const there = await queryRows<{ label: string }>(
    target,
    `SELECT format('%I.%I', n.nspname, c.relname) AS label FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_subscription_rel r JOIN ${await subscriptionCatalog(target)} s ON s.oid = r.srsubid
              WHERE s.subname = ${escapeLiteral(subscriptionName(migration, database))} AND r.srrelid = c.oid AND r.srsubstate IN ('s', 'r'))`,
  );
  const unknown = new Set(there.map(({ label }) => label));
  const published = await withSession(access, { step: 'new-tables', database, readOnly: true }, (session) =>
    queryRows<NewTable>(
      session,
      `SELECT format('%I.%I', p.schemaname, p.tablename) AS name, p.schemaname AS schema, pg_get_userbyid(c.relowner) AS owner, c.relrowsecurity AS "rowSecurity"
         FROM pg_publication_tables p JOIN pg_namespace n ON n.nspname = p.schemaname JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
        WHERE p.pubname = $1 AND p.schemaname <> $2 AND NOT ${outOfReach()} ORDER BY 1`,
      [publicationName(migration.id), fenceSchema(migration.id)],
    ),
  );
  return published.filter(({ name }) => unknown.has(name));
}

/** The copy is read as our role, which row-level security would show some rows only, or none, without a word. */
function refuseHiddenRows({ id, plan }: DriftInput, tables: readonly NewTable[]): void {
  const hidden = tables.filter(({ rowSecurity }) => rowSecurity).map(({ name }) => name);
  if (hidden.length === 0) return;
  throw finalFailure(
    'SchemaDrifted',
    `${hidden.join(', ')} came to ${plan.source.instance} since the snapshot, with row-level security, which would hide rows from the copy. On the source: ALTER ROLE ${replicationRole(id)} BYPASSRLS; or disable it for the time of the copy: ${hidden.map((name) => `ALTER TABLE ${name} DISABLE ROW LEVEL SECURITY;`).join(' ')} Then send retry.`,
  );
}

/** From 14 on a role of PostgreSQL's own reads everything; before, and where we may not grant that one, each table and schema is granted, as its owner. */
async function allowReading(
  access: Access,
  migration: string,
  database: string,
  tables: readonly NewTable[],
): Promise<void> {
  const role = escapeIdentifier(replicationRole(migration));
  await withSession(access, { step: 'new-tables', database }, async (session) => {
    if (await mayGrantReader(session)) return void (await session.query(`GRANT pg_read_all_data TO ${role}`));
    for (const { name, schema, owner } of tables) {
      await session.query(
        `BEGIN; GRANT USAGE ON SCHEMA ${escapeIdentifier(schema)} TO ${role}; SET LOCAL ROLE ${escapeIdentifier(owner)};
         GRANT SELECT ON TABLE ${name} TO ${role}; COMMIT`,
      );
    }
  });
}

/** A role with privileges of its own can't be dropped, so none stay. */
async function forbidReading(access: Access, migration: string, database: string, look: LookOptions): Promise<void> {
  const role = replicationRole(migration);
  await withSession(access, { step: 'new-tables', database, ...look }, async (session) => {
    const [member] = await queryRows(
      session,
      `SELECT 1 FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles t ON t.oid = m.member
        WHERE r.rolname = 'pg_read_all_data' AND t.rolname = $1`,
      [role],
    );
    if (member) await session.query(`REVOKE pg_read_all_data FROM ${escapeIdentifier(role)}`);
    const granted = await queryRows<{ what: string; owner: string }>(
      session,
      `SELECT DISTINCT 'TABLE ' || c.oid::regclass AS what, pg_get_userbyid(c.relowner) AS owner
         FROM pg_class c, LATERAL aclexplode(c.relacl) AS g WHERE c.relkind IN ('r', 'p') AND pg_get_userbyid(g.grantee) = $1
       UNION ALL SELECT DISTINCT 'SCHEMA ' || quote_ident(n.nspname), current_user
         FROM pg_namespace n, LATERAL aclexplode(n.nspacl) AS g WHERE pg_get_userbyid(g.grantee) = $1`,
      [role],
    );
    for (const { what, owner } of granted) {
      await session.query(
        `BEGIN; SET LOCAL ROLE ${escapeIdentifier(owner)}; REVOKE ALL ON ${what} FROM ${escapeIdentifier(role)}; COMMIT`,
      );
    }
  });
}

/** Whether there is such a role, and we may make others a member of it: from 16 on that takes ADMIN OPTION. */
async function mayGrantReader(session: Session): Promise<boolean> {
  const { may } = await queryOne<{ may: boolean }>(
    session,
    `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pg_read_all_data'
              AND (current_setting('server_version_num')::int < 160000 OR pg_has_role(oid, 'USAGE WITH ADMIN OPTION'))) AS may`,
  );
  return may;
}

async function untilInStep(session: Session, subscription: string, stillGoes: () => Promise<void>): Promise<void> {
  await waitUntil(async () => {
    const copied = await queryRows<{ label: string }>(
      session,
      `SELECT r.srrelid::regclass::text AS label FROM pg_subscription_rel r JOIN ${await subscriptionCatalog(session)} s ON s.oid = r.srsubid
        WHERE s.subname = $1 AND r.srsubstate <> 'r' ORDER BY 1`,
      [subscription],
    );
    if (copied.length === 0) return { done: undefined };
    await stillGoes();
    return { waitingFor: `the first copy of ${copied.map(({ label }) => label).join(', ')}` };
  });
}
