import { Client } from 'pg';
import { Aws } from '../../../local/app/aws';
import { SAMPLE } from '../../../local/app/names';
import { addressOf, describeInstance, readLogin } from '../../../local/app/source';
import type { World } from '../../../local/world/world';
import { isUp } from '../../../activities/rds/instance-status';
import { eventually } from './worlds';

/**
 * Keeps a migration in catch-up: locks a table of the target as soon as the target is up, so that apply waits for it, and again whenever the target
 * was restarted, as at the end of the quarantine. Resolves with what lets go.
 */
export async function holdCatchUp(world: World, database: string, table: string): Promise<() => Promise<void>> {
  const aws = new Aws(world.awsEndpoint, world.region);
  const { user, password } = await readLogin(aws, SAMPLE.masterSecret).catch((error: unknown) => {
    aws.destroy();
    throw error;
  });
  let held: Client | undefined;
  let letGo = false;
  let locking: Promise<unknown> = Promise.resolve();

  const lock = async (): Promise<boolean> => {
    const target = await describeInstance(aws, SAMPLE.encryptedInstance);
    if (!target || !isUp(target)) return false;
    const { host, port, ca } = addressOf(target, world.caBundle);
    const client = new Client({ host, port, user, password, database, ssl: { ca }, application_name: 'test-lock' });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('BEGIN');
      await client.query(`LOCK TABLE ${table} IN SHARE ROW EXCLUSIVE MODE`);
    } catch {
      await client.end().catch(() => undefined);
      return false;
    }
    held = client;
    // Whoever waits for the target has a limit of its own.
    client.once('end', () => {
      if (!letGo) locking = locked().catch(() => undefined);
    });
    return true;
  };
  const locked = (): Promise<boolean> =>
    eventually('the table of the target is locked', async () => letGo || (await lock()), { timeoutMs: 300_000 });

  await locked();
  return async () => {
    letGo = true;
    // One that is under way gets its lock after this.
    await locking;
    await held?.end();
    aws.destroy();
  };
}
