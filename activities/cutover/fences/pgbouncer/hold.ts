import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolerConsole } from '../../../poolers/console';
import { PauseGivenUp } from '../../cut-over-input';

/** Between two looks, in milliseconds: every one of them is downtime. */
const LOOK_EVERY_MS = 2;
/** A PAUSE that isn't answered in this time waits for transactions; its entry is paused for new ones already. */
const ANSWER_MS = 20;
/** Consoles with which the entries of one pooler are paused, so that one that waits holds up no other. Clients of max_client_conn. */
const CONSOLES = 8;

/** Another pooler could not be paused: what this one waits for is of no interest. */
export class GivenUpElsewhere extends Error {}

/** Whether the work has to end. Throws to end it. */
export type Check = () => void;

/** One pooler while its entries are paused. */
export interface Held {
  readonly console: PoolerConsole;
  readonly entries: readonly string[];
  /** Consoles that were opened ahead. */
  readonly lanes: PoolerConsole[];
  /** Opens one more. */
  open(): Promise<PoolerConsole>;
}

/** How many consoles are worth opening ahead. */
export const lanesFor = (entries: readonly string[]): number => Math.min(CONSOLES, entries.length);

/**
 * Pauses the entries of one pooler and waits until none of them has a server in use, which SHOW DATABASES and SHOW SERVERS show; what
 * PAUSE answers is not relied upon. Returns only when no PAUSE of ours is on its way any more.
 * @throws PauseGivenUp with the names of the clients whose transactions don't end, when `mayGoOn` throws
 */
export async function hold(held: Held, mayGoOn: Check): Promise<void> {
  await pauseEach(held, mayGoOn);
  for (;;) {
    if (await isQuiet(held)) return;
    try {
      mayGoOn();
    } catch (error) {
      if (error instanceof GivenUpElsewhere) throw error;
      throw new PauseGivenUp(`${messageOf(error)}; ${held.console.name} waits for ${await busyClients(held)}`);
    }
    await sleep(LOOK_EVERY_MS);
  }
}

async function pauseEach(held: Held, mayGoOn: Check): Promise<void> {
  const waiting = [...held.entries];
  let failure: Error | undefined;
  const lane = async (): Promise<void> => {
    for (let entry = waiting.shift(); entry !== undefined && failure === undefined; entry = waiting.shift()) {
      try {
        mayGoOn();
        await pauseOne(held, entry);
      } catch (error) {
        failure ??= error as Error;
      }
    }
  };
  // All of them are waited for: a PAUSE that arrives after the RESUME of a pause that was given up would stay.
  await Promise.all(Array.from({ length: lanesFor(held.entries) }, lane));
  if (failure !== undefined) throw failure;
}

async function pauseOne(held: Held, entry: string): Promise<void> {
  const console = held.lanes.pop() ?? (await held.open());
  const answered = console.pause(entry).then(() => true);
  const late = new AbortController();
  let isAnswered = false;
  try {
    isAnswered = await Promise.race([answered, sleep(ANSWER_MS, false, { signal: late.signal })]);
  } finally {
    late.abort();
    // A console that waits is of no further use: PgBouncer goes on without it.
    if (isAnswered) held.lanes.push(console);
    else console.close();
    answered.catch(() => undefined);
  }
}

async function isQuiet({ console, entries }: Held): Promise<boolean> {
  const paused = new Set((await console.entries()).filter((one) => one.paused).map(({ name }) => name));
  const open = entries.filter((name) => !paused.has(name));
  if (open.length > 0) return false;
  const servers = await console.servers();
  return !servers.some(({ database }) => entries.includes(database));
}

/** Who holds the servers that are in use. */
async function busyClients({ console, entries }: Held): Promise<string> {
  const servers = (await console.servers()).filter(({ database }) => entries.includes(database));
  if (servers.length === 0) return 'nobody: an entry of it is not paused, though PAUSE was sent';
  const clients = new Map((await console.clients()).map((client) => [client.ptr, client]));
  return servers
    .map(({ link, user, database, state }) => {
      const client = clients.get(link);
      return client
        ? `${client.user} on ${database} (${client.application || 'unnamed'}, from ${client.address})`
        : `a connection of ${user} to ${database} (${state})`;
    })
    .join(', ');
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Lets the clients of the entries go on; looks first, since PgBouncer refuses to resume what isn't paused. */
export async function letGo(console: PoolerConsole, entries: readonly string[]): Promise<void> {
  // A second look, since a PAUSE whose sender was killed may still have been on its way.
  for (let quiet = false; !quiet;) {
    const paused = (await console.entries()).filter((one) => one.paused && entries.includes(one.name));
    quiet = paused.length === 0;
    for (const { name } of paused) await resumeUnlessGoing(console, name);
  }
}

/** Somebody else (a worker that takes over, the watchdog) may have been faster. */
async function resumeUnlessGoing(console: PoolerConsole, name: string): Promise<void> {
  try {
    await console.resume(name);
  } catch (error) {
    const stillPaused = (await console.entries()).some((one) => one.name === name && one.paused);
    if (stillPaused) throw error;
  }
}
