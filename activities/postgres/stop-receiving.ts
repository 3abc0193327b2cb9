import { subscriptionName } from '../../plan/names';
import type { Dependencies, MigrationRef } from '../dependencies';
import { accessTo, escapeIdentifier, queryRows, withSession } from './session';

/**
 * Disables our subscriptions on the side that changes go to. After the drain nothing comes for them any more. That the name of
 * their publisher is about to be their own server's makes it a must: there is a slot of the same name, for the other direction.
 */
export async function stopReceiving(deps: Dependencies, ref: MigrationRef): Promise<void> {
  const access = await accessTo(deps, ref, 'target');
  const enabled = await withSession(access, { step: 'rename', database: 'postgres', readOnly: true }, (session) =>
    queryRows<{ name: string; database: string }>(
      session,
      `SELECT s.subname AS name, d.datname AS database FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
        WHERE s.subenabled`,
    ),
  );
  for (const { name, database } of enabled) {
    if (name !== subscriptionName(ref, database)) continue;
    await withSession(access, { step: 'rename', database }, (session) =>
      session.query(`ALTER SUBSCRIPTION ${escapeIdentifier(name)} DISABLE`),
    );
  }
}
