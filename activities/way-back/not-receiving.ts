import { subscriptionName } from '../../plan/names';
import { type Dependencies, instanceOf, type MigrationRef } from '../dependencies';
import { whyApplyFails } from '../follow/apply-error';
import { accessTo, queryRows, withSession } from '../postgres/session';

/** Subscriptions of ours, on the side that changes go to, that don't receive; each as a sentence. */
export async function notReceiving(
  deps: Dependencies,
  input: MigrationRef & { databases: readonly string[] },
): Promise<string[]> {
  const access = await accessTo(deps, input, 'target');
  const running = await withSession(access, { step: 'way-back', database: 'postgres', readOnly: true }, (session) =>
    queryRows<{ name: string }>(
      session,
      'SELECT subname AS name FROM pg_stat_subscription WHERE pid IS NOT NULL AND received_lsn IS NOT NULL',
    ),
  );
  const names = new Set(running.map(({ name }) => name));
  const silent = input.databases.filter((database) => !names.has(subscriptionName(input, database)));
  return Promise.all(
    silent.map(async (database) => {
      const { text } = await whyApplyFails(deps, input, { name: subscriptionName(input, database) });
      return `the subscription in database ${database} of ${instanceOf(input, 'target')} does not receive. ${text}`;
    }),
  );
}
