import type { World } from './world';

/** One call of the stand-in's own API. */
export async function control(
  world: Pick<World, 'awsEndpoint'>,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const response = await fetch(`${world.awsEndpoint}/_keyshift/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.json();
}
