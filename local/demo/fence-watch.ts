import type { Aws } from '../app/aws';
import { withClient } from '../app/databases';
import { SAMPLE } from '../app/names';
import { addressOf, describeInstance, readLogin } from '../app/source';
import { waitFor } from '../world/wait-for';

/** Often enough to see a pause of a tenth of a second begin. */
const EVERY_MS = 5;
const WITHIN_MS = 60_000;

/**
 * Prepares a watch on the source; the function that it answers waits until the application has no connection to it any more: then the
 * pause is on.
 */
export async function watchForFence(aws: Aws, caBundle: string): Promise<() => Promise<void>> {
  const source = await describeInstance(aws, SAMPLE.instance);
  if (!source) throw new Error(`${SAMPLE.instance} is not there`);
  const [server, login] = [addressOf(source, caBundle), await readLogin(aws, SAMPLE.masterSecret)];
  return () =>
    withClient(server, login, 'postgres', async (client) => {
      const turnedOut = async (): Promise<boolean> => {
        const ask = `SELECT 1 FROM pg_stat_activity WHERE application_name = 'sample-app' LIMIT 1`;
        // The fence may end our session too; that is as good an answer.
        return client.query(ask).then(
          ({ rows }) => rows.length === 0,
          () => true,
        );
      };
      await waitFor('the application is turned out', turnedOut, { everyMs: EVERY_MS, timeoutMs: WITHIN_MS });
    });
}
