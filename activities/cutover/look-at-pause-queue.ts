import { type BoardLine, green, red } from '../../plan/board';
import type { Dependencies } from '../dependencies';

/** gRPC's code for "may not". */
const PERMISSION_DENIED = 7;

/** Where the workflow wants its pause to run; absent in a migration that began before the pause had a queue of its own. */
export interface PauseQueue {
  readonly pauseQueue?: string;
}

/**
 * Whether the pause would find a worker. Writes must not be stopped, nor a fence be left up, while its activities wait for somebody who takes
 * them. Where this worker may not ask Temporal, it answers for itself: it polls that queue for as long as it polls any.
 */
export async function lookAtPauseQueue({ pollersOf }: Dependencies, { pauseQueue }: PauseQueue): Promise<BoardLine[]> {
  if (pauseQueue === undefined) return [];
  if (!pollersOf) return red('pause-queue', `nobody can ask Temporal who polls task queue ${pauseQueue}`);
  try {
    const { workers } = await pollersOf(pauseQueue);
    if (workers.length > 0) return green('pause-queue', `workers for the pause: ${workers.join(', ')}`);
  } catch (error) {
    if ((error as { code?: unknown }).code !== PERMISSION_DENIED) throw error;
    return green('pause-queue', `workers for the pause: this one; Temporal does not permit it to ask for others`);
  }
  return red(
    'pause-queue',
    `no worker polls task queue ${pauseQueue}, on which the pause runs: start one of this version, or wait until one has a free slot (docs/operating.md, "How many migrations")`,
  );
}
