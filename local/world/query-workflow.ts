import { Client, Connection } from '@temporalio/client';
import type { World } from './world';

/** A query is answered by a worker, which may be gone, so long it is waited for, in milliseconds. */
const WITHIN_MS = 5_000;

const connections = new WeakMap<World, Connection | undefined>();

/**
 * Asks a workflow of the world, over one connection. The CLI would be a process for each question, which takes the machine more than the migration does
 * when somebody looks several times a second.
 * @throws Error when nobody answers within five seconds, or there is no such workflow
 */
export async function queryWorkflow<T>(world: World, workflowId: string, type: string): Promise<T> {
  const connection = connectionTo(world);
  try {
    const handle = new Client({ connection }).workflow.getHandle(workflowId);
    return await connection.withDeadline(Date.now() + WITHIN_MS, () => handle.query<T>(type));
  } catch (error) {
    // The server may have been killed: a connection of its own finds the next one at once.
    connections.set(world, undefined);
    await connection.close().catch(() => undefined);
    throw error;
  }
}

function connectionTo(world: World): Connection {
  const known = connections.get(world);
  if (known) return known;
  if (!connections.has(world)) world.onStop('the connection for queries', () => connections.get(world)?.close());
  const made = Connection.lazy({ address: world.temporalAddress });
  connections.set(world, made);
  return made;
}
