import { createServer, type Server } from 'node:http';

/** Answers 200 on `/healthz` while `isHealthy`, 503 otherwise. Returns a function that stops it. */
export async function serveHealth(port: number, isHealthy: () => boolean): Promise<() => Promise<void>> {
  const server: Server = createServer((request, response) => {
    const known = request.url === '/healthz';
    response.writeHead(known ? (isHealthy() ? 200 : 503) : 404, { 'content-type': 'text/plain' });
    response.end(known ? (isHealthy() ? 'ok\n' : 'stopping\n') : 'not found\n');
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, resolve));
  return () => new Promise((resolve) => server.close(() => resolve()));
}
