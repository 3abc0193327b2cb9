import { publicationName, slotName, subscriptionName } from '../../plan/names';
import type { Dependencies, MigrationRef } from '../dependencies';
import { subscriptionCatalog } from '../postgres/subscription-catalog';
import { outOfReach } from '../postgres/extension-tables';
import { prepareWayBack } from './prepare-way-back';
import { createFreshSlot } from './reverse-slots';
import { type Access, accessTo, escapeIdentifier, inEachDatabase, queryRows, withSession } from '../postgres/session';

type Input = MigrationRef & { readonly databases: readonly string[] };

/**
 * Right before the pause: the subscription of the way back knows every table that there is by now, and its slot on the target is
 * new, so that it keeps no more WAL than that of the pause.
 */
export async function renewWayBack(deps: Dependencies, input: Input): Promise<void> {
  const [source, target] = [await accessTo(deps, input, 'source'), await accessTo(deps, input, 'target')];
  for (const database of input.databases) {
    if (await knowsEveryTable(source, target, input, database)) continue;
    await withSession(source, { step: 'way-back', database }, async (session) => {
      const name = escapeIdentifier(subscriptionName(input, database));
      await session.query(`ALTER SUBSCRIPTION ${name} SET (slot_name = NONE)`);
      await session.query(`DROP SUBSCRIPTION ${name}`);
    });
  }
  await prepareWayBack(deps, input);
  await inEachDatabase(target, input.databases, { step: 'way-back' }, (session, database) =>
    createFreshSlot(session, { name: slotName(input, database), plugin: 'pgoutput' }),
  );
}

/** REFRESH PUBLICATION is not for a disabled subscription, so one that lacks a table is made anew. */
async function knowsEveryTable(source: Access, target: Access, input: Input, database: string): Promise<boolean> {
  const options = { step: 'way-back', database, readOnly: true };
  const [known, published] = await Promise.all([
    withSession(source, options, async (session) =>
      queryRows<{ table: string }>(
        session,
        `SELECT format('%I.%I', n.nspname, c.relname) AS "table"
           FROM pg_subscription_rel r JOIN ${await subscriptionCatalog(session)} s ON s.oid = r.srsubid AND s.subname = $1
           JOIN pg_class c ON c.oid = r.srrelid JOIN pg_namespace n ON n.oid = c.relnamespace`,
        [subscriptionName(input, database)],
      ),
    ),
    withSession(target, options, (session) =>
      queryRows<{ table: string }>(
        session,
        `SELECT format('%I.%I', n.nspname, c.relname) AS "table"
           FROM pg_publication_tables p JOIN pg_namespace n ON n.nspname = p.schemaname JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
          WHERE p.pubname = $1 AND NOT ${outOfReach()}`,
        [publicationName(input.id)],
      ),
    ),
  ]);
  const there = new Set(known.map(({ table }) => table));
  // Without one at all there is nothing to drop: it is made right behind.
  return there.size === 0 || (published.length === there.size && published.every(({ table }) => there.has(table)));
}
