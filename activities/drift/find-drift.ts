import { finalFailure } from '../../plan/failures';
import { type Named, subscriptionName } from '../../plan/names';
import { type EachDatabase, oneByOne } from '../each-database';
import type { Dependencies, MigrationRef } from '../dependencies';
import { fenceTable, readMark } from '../postgres/fence-table';
import {
  type Access,
  accessToBoth,
  escapeLiteral,
  queryRows,
  type Session,
  type Sides,
  withSession,
} from '../postgres/session';
import { subscriptionCatalog } from '../postgres/subscription-catalog';
import type { CatalogObject } from './catalog/part';
import { compareSchemas, type SchemaDifference } from './compare-schemas';
import { describeDatabase } from './describe-database';
import { bounded, printDrift } from './print-drift';
import { readRecords } from '../quarantine/records';

export interface DriftInput extends MigrationRef {
  readonly databases: readonly string[];
}

export interface DatabaseDrift extends SchemaDifference {
  readonly database: string;
}

/** Describing a hundred thousand tables takes half a minute on an idle server. */
const STATEMENT_TIMEOUT_MS = 600_000;

/**
 * Compares the schema, grants, roles, settings and comments of source and target, object by object. The target is a physical copy, so
 * whatever differs was changed since, or was switched off by the quarantine, which is left out.
 */
export async function findDrift(
  deps: Dependencies,
  input: DriftInput,
  each: EachDatabase = oneByOne,
  sides?: Sides,
): Promise<DatabaseDrift[]> {
  const { source, target } = sides ?? (await accessToBoth(deps, input));
  const quarantined = await quarantinedTriggers(target, input);
  const fenced = await fenceIsUp(source, input, each);
  const [first] = input.databases;
  const found = await each('the schema', input.databases, async (database, look) => {
    const options = { step: 'drift', database, readOnly: true, statementTimeoutMs: STATEMENT_TIMEOUT_MS, ...look };
    // What a fence took from the roles of the source is no drift.
    const shared = database === first && !fenced;
    const drift = await withSession(source, options, (from) =>
      withSession(target, options, async (to) => {
        const [wanted, there] = await Promise.all([
          describeDatabase(from, input.id, shared, input.plan.ignore.roles),
          describeDatabase(to, input.id, shared, input.plan.ignore.roles),
        ]);
        const remade = await remadeTables(from, to, input, database);
        const off = quarantined.get(database);
        const compared = ({ key }: CatalogObject) => !off?.has(key);
        return compareSchemas(
          wanted.filter(compared),
          there.filter(compared).map((object) => asBefore(object, remade)),
        );
      }),
    );
    return { database, ...drift };
  });
  return found.filter((drift) => drift.found.length > 0);
}

/** A table that was dropped and made anew on the source is not the one that the target has, be it as like it as it may. */
const asBefore = (object: CatalogObject, remade: ReadonlySet<string>): CatalogObject =>
  remade.has(object.key) ? { ...object, definition: 'made anew on the source' } : object;

/**
 * Tables that both sides have under one name, but not under one oid, as a copy does. Those that were made on the target since are
 * told apart by their oid, which is beyond every one of the source's at capture.
 */
async function remadeTables(
  source: Session,
  target: Session,
  migration: Named,
  database: string,
): Promise<Set<string>> {
  const newest = Number(await readMark(source, migration.id, 'newest-oid'));
  if (!newest) return new Set();
  const tables = `SELECT c.oid::regclass::text AS name, c.oid::bigint::float8 AS oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;
  type Row = { name: string; oid: number };
  const ofSource = new Map((await queryRows<Row>(source, tables)).map(({ name, oid }) => [name, oid]));
  const ofTarget = await queryRows<Row>(
    target,
    `${tables} AND NOT EXISTS (SELECT FROM pg_subscription_rel r JOIN ${await subscriptionCatalog(target)} s ON s.oid = r.srsubid
       WHERE s.subname = ${escapeLiteral(subscriptionName(migration, database))} AND r.srrelid = c.oid AND r.srsublsn IS NOT NULL)`,
  );
  const remade = ofTarget.filter(({ name, oid }) => oid <= newest && (ofSource.get(name) ?? oid) !== oid);
  return new Set(remade.map(({ name }) => `table ${name}`));
}

async function fenceIsUp(access: Access, { id, databases }: DriftInput, each: EachDatabase): Promise<boolean> {
  const found = await each('the fence', databases, (database, look) =>
    withSession(access, { step: 'drift', database, readOnly: true, ...look }, (session) =>
      queryRows(session, `SELECT 1 FROM ${fenceTable(id)} WHERE purpose = 'pause' AND fenced_at IS NOT NULL`),
    ),
  );
  return found.some((rows) => rows.length > 0);
}

/** States of triggers that the quarantine changed on the target; the cutover puts them back, by its own notes. */
async function quarantinedTriggers(access: Access, input: DriftInput): Promise<Map<string, Set<string>>> {
  const [first] = input.databases;
  if (first === undefined) return new Map();
  const records = await withSession(access, { step: 'drift', database: first, readOnly: true }, (session) =>
    readRecords(session, input.id, 'trigger'),
  );
  const found = new Map<string, Set<string>>();
  for (const database of new Set(records.map((record) => record.database))) {
    const was = records.filter((record) => record.database === database).map((record) => record.was);
    // Quoted by the server, as the keys of the catalog are: it alone knows every reserved word. By this database: another may lack the letters.
    const keys = await withSession(access, { step: 'drift', database, readOnly: true }, (session) =>
      queryRows<{ key: string }>(
        session,
        `SELECT format('trigger state %I.%I %I', one->>'schema', one->>'table', one->>'trigger') AS key FROM jsonb_array_elements($1::jsonb) AS one`,
        [JSON.stringify(was)],
      ),
    );
    found.set(database, new Set(keys.map(({ key }) => key)));
  }
  return found;
}

/** @throws ApplicationFailure SchemaDrifted, with the statements that make the target like the source */
export async function refuseDrift(deps: Dependencies, input: DriftInput): Promise<void> {
  const drift = await findDrift(deps, input);
  if (drift.length > 0) throw schemaDrifted(input, drift);
}

export function schemaDrifted({ plan }: MigrationRef, drift: readonly DatabaseDrift[]) {
  const { text, left } = printDrift(drift);
  const byHand = drift.flatMap(({ database, byHand: words }) => words.map((one) => `database ${database}: ${one}`));
  const what = drift.flatMap(({ database, found }) => found.map((one) => `${database}: ${one}`));
  const more = left > 0 ? `\n-- and ${left} more, which come when these have been run` : '';
  return finalFailure(
    'SchemaDrifted',
    `The schema of ${plan.source.instance} was changed since the snapshot, and ${plan.target.instance} does not have the change. Run this on ${plan.target.instance} as its master user, then send retry:\n${text}${more}${
      byHand.length > 0 ? `\nNot to be said as SQL, do it by hand: ${bounded(byHand).text}` : ''
    }`,
    { found: what.slice(0, 50), differences: what.length },
  );
}
