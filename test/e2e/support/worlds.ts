import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from 'pg';
import { Aws } from '../../../local/app/aws';
import { withClient } from '../../../local/app/databases';
import { SAMPLE } from '../../../local/app/names';
import { addressOf, describeInstance, readLogin } from '../../../local/app/source';
export { control } from '../../../local/world/control';
import type { World } from '../../../local/world/world';
import { startWorld } from '../../../local/world/world';

/** AWS in the tests takes about a second for what takes minutes. */
const TIME_SCALE = 0.005;

/** Where a world keeps what it has and says: in the checkout, so that its logs are found, or where the caller wants temporary files. */
const WORLDS = process.env['TMPDIR'] ? tmpdir() : '.keyshift';

/** Runs a test in a world of its own; everything is stopped and cleaned, also when the test fails. */
export async function inWorld(
  name: string,
  work: (world: World, signal: AbortSignal) => Promise<void>,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const ended = new AbortController();
  const world = await startWorld({
    root: join(WORLDS, `test-${name}`),
    timeScale: TIME_SCALE,
    env,
    report: () => undefined,
  });
  try {
    await work(world, ended.signal);
  } finally {
    ended.abort();
    await world.stop();
  }
}

export const awsOf = (world: World): Aws => {
  const aws = new Aws(world.awsEndpoint, world.region);
  world.onStop('AWS clients of the test', () => aws.destroy());
  return aws;
};

/** Runs work as the master user of an instance. */
export async function asMaster<T>(
  world: World,
  instance: string,
  database: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const aws = new Aws(world.awsEndpoint, world.region);
  try {
    const found = await describeInstance(aws, instance);
    if (!found) throw new Error(`no instance ${instance}`);
    const login = await readLogin(aws, SAMPLE.masterSecret);
    return await withClient(addressOf(found, world.caBundle), login, database, work);
  } finally {
    aws.destroy();
  }
}

/** Asks until the answer is there. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined | false>,
  { timeoutMs = 60_000, everyMs = 20 } = {},
): Promise<T> {
  const giveUpAt = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > giveUpAt) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** What a process of the world has logged. */
export const logOf = (world: World, name: string): string => readFileSync(join(world.logs, `${name}.log`), 'utf8');
