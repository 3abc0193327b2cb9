import { BareServer } from './postgres';

/** Starts a server, says its pid and where it is, and waits to be killed. */
async function main(): Promise<void> {
  const bare = await BareServer.create();
  const { pid, places } = bare.server;
  process.stdout.write(`${JSON.stringify({ pid, dataDir: places.dataDir })}\n`);
  setInterval(() => undefined, 60_000);
}

void main();
