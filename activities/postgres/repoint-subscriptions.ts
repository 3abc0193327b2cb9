import { subscriptionName } from '../../plan/names';
import { awsOf, type Dependencies, instanceOf, type MigrationRef } from '../dependencies';
import { endpointOf, requireInstance } from '../rds/find-instance';
import { ensureReplicationCredentials } from '../secrets/replication-secret';
import { conninfo } from './conninfo';
import { executeWithConninfo } from './execute-with-conninfo';
import { accessTo, escapeIdentifier, inEachDatabase } from './session';
import { bundleOf, findSubscription } from './subscriptions';

/** Lets our subscriptions, on the side that changes go to, connect to where their publisher listens now. Does not connect. */
export async function repointSubscriptions(
  deps: Dependencies,
  input: MigrationRef & { readonly databases: readonly string[] },
): Promise<void> {
  const aws = awsOf(deps, input);
  const source = endpointOf(await requireInstance(aws, instanceOf(input, 'source')));
  const credentials = await ensureReplicationCredentials(aws, input.id);
  const access = await accessTo(deps, input, 'target');
  await inEachDatabase(access, input.databases, { step: 'subscribe' }, async (session, database) => {
    const name = subscriptionName(input, database);
    if (!(await findSubscription(session, name))) return;
    const connection = conninfo({ ...source, ...credentials, database, bundle: await bundleOf(session) });
    await executeWithConninfo(session, `ALTER SUBSCRIPTION ${escapeIdentifier(name)} CONNECTION %L`, connection);
  });
}
