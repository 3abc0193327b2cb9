import { createServer } from 'node:net';

/**
 * Ports that operating systems don't hand out by themselves (Linux: 32768-60999, macOS: 49152-65535), so that nobody takes an instance's port
 * while it is stopped.
 */
const FIRST_PORT = 15_000;
const PORTS = 15_000;

/** Finds a port of the loopback interface that nobody listens on. */
export async function findFreePort(taken: ReadonlySet<number>): Promise<number> {
  const start = Math.floor(Math.random() * PORTS);
  for (let step = 0; step < PORTS; step += 1) {
    const port = FIRST_PORT + ((start + step) % PORTS);
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new Error('no free port');
}

/** Whether nobody listens on the port of a loopback address, and the machine has that address. */
export function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
