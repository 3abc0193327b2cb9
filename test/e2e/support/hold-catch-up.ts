import { Client } from 'pg';
import { Aws } from '../../../local/app/aws';
import { SAMPLE } from '../../../local/app/names';
import { addressOf, describeInstance, readLogin } from '../../../local/app/source';
import type { World } from '../../../local/world/world';
import { isUp } from '../../../activities/rds/instance-status';
import { eventually } from './worlds';

/**
 * Keeps a migration in catch-up: locks a table of the target as soon as the target is up, so that apply waits
 * for it. Resolves with what lets go.
 */
export async function holdCatchUp(world: World, database: string, table: string): Promise<() => Promise<void>> {
  const aws = new Aws(world.awsEndpoint, world.region);
  try {
    const target = await eventually(
      'the target is up',
      async () => {
        const found = await describeInstance(aws, SAMPLE.encryptedInstance);
        return found && isUp(found) ? found : undefined;
      },
      { timeoutMs: 300_000 },
    );
    const { host, port, ca } = addressOf(target, world.caBundle);
    const { user, password } = await readLogin(aws, SAMPLE.masterSecret);
    const client = new Client({ host, port, user, password, database, ssl: { ca }, application_name: 'test-lock' });
    client.on('error', () => undefined);
    await client.connect();
    await client.query('BEGIN');
    await client.query(`LOCK TABLE ${table} IN SHARE ROW EXCLUSIVE MODE`);
    return () => client.end();
  } finally {
    aws.destroy();
  }
}
