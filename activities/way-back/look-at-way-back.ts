import { type BoardLine, green, red } from '../../plan/board';
import { publicationName, slotName, subscriptionName } from '../../plan/names';
import { type Dependencies, instanceOf, type MigrationRef } from '../dependencies';
import { type EachDatabase, oneByOne } from '../each-database';
import { findPublication } from '../postgres/create-publications';
import { findSlot } from '../postgres/create-slots';
import { accessTo, queryRows, withSession } from '../postgres/session';

type Input = MigrationRef & { readonly databases: readonly string[] };

/**
 * Whether the way back could begin: on the source a disabled subscription in each database, on the target the publication that it
 * follows. The slot of the target is made right before the pause; one that is there already must have no reader.
 */
export async function lookAtWayBack(
  deps: Dependencies,
  input: Input,
  each: EachDatabase = oneByOne,
): Promise<BoardLine[]> {
  if (input.plan.soak.wayBack === 'none') return [];
  const found = [...(await lookAtSource(deps, input)), ...(await lookAtTarget(deps, input, each))];
  if (found.length > 0) return red('way-back', ...found);
  const [source, target] = [instanceOf(input, 'source'), instanceOf(input, 'target')];
  return green(
    'way-back',
    `way back: disabled subscriptions on ${source} to the publications of ${target} are ready; its slots are made right before the pause`,
  );
}

async function lookAtSource(deps: Dependencies, input: Input): Promise<string[]> {
  const [source, target] = [instanceOf(input, 'source'), instanceOf(input, 'target')];
  const options = { step: 'go-no-go', database: 'postgres', readOnly: true };
  const found = await withSession(await accessTo(deps, input, 'source'), options, (session) =>
    queryRows<{ name: string; database: string; enabled: boolean }>(
      session,
      `SELECT s.subname AS name, d.datname AS database, s.subenabled AS enabled
         FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid`,
    ),
  );
  return input.databases.flatMap((database) => {
    const name = subscriptionName(input, database);
    const one = found.find((row) => row.name === name && row.database === database);
    const where = `subscription ${name} in database ${database} of ${source}`;
    if (!one) return [`${where} is gone; the preparation of the pause makes it anew`];
    return one.enabled ? [`${where} is enabled before ${target} is in use: ALTER SUBSCRIPTION ${name} DISABLE`] : [];
  });
}

async function lookAtTarget(deps: Dependencies, input: Input, each: EachDatabase): Promise<string[]> {
  const target = instanceOf(input, 'target');
  const publication = publicationName(input.id);
  const access = await accessTo(deps, input, 'target');
  const found = await each('the way back', input.databases, (database, look) =>
    withSession(access, { step: 'go-no-go', database, readOnly: true, ...look }, async (session) => {
      const published = await findPublication(session, publication);
      const slot = await findSlot(session, slotName(input, database));
      return [
        ...(published === undefined
          ? [
              `publication ${publication} is gone from database ${database} of ${target}, so nothing written there would go back: CREATE PUBLICATION ${publication} FOR ALL TABLES`,
            ]
          : []),
        ...(slot?.active
          ? [`replication slot ${slotName(input, database)} of ${target} is read by somebody before the cutover`]
          : []),
      ];
    }),
  );
  return found.flat();
}
