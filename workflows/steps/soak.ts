import { ActivityFailure, ApplicationFailure, isCancellation } from '@temporalio/workflow';
import type { SourceFacts } from '../../plan/checks';
import type { CutoverFacts, Proof } from '../../plan/report';
import { act } from '../act';
import type { Migration } from '../migration';

/** How long the process that holds the snapshots may take to begin with the proof before it is taken for dead. */
const HOLDER_TIMEOUT = '20 seconds';

/** The proof as of the cutover, while applications write to the target; then a look at who is connected where. */
export async function soak(
  migration: Migration,
  { databases }: SourceFacts,
  { targetSnapshots, holder }: CutoverFacts,
): Promise<void> {
  await migration.step('proof', async (note) => {
    const proof = await prove(migration, { ...migration.ref, databases, targetSnapshots }, holder);
    migration.report.proof = proof;
    note(`${proof.rows} rows of ${proof.tables} tables are the same as of the cutover (by ${proof.method})`);
  });

  await migration.step('watch', async (note) => {
    const { onTarget, stragglers } = await act('watchTraffic', migration.ref);
    for (const straggler of stragglers) migration.notice(`still connected to the old source: ${straggler}`);
    note(`${onTarget} sessions on the target, ${stragglers.length} on the source`);
  });
}

/** The process that made the pause holds its snapshots; when it died, any worker proves by row versions. */
async function prove(
  migration: Migration,
  input: Parameters<typeof act<'proveContents'>>[1],
  holder: string | undefined,
): Promise<Proof> {
  if (holder !== undefined) {
    try {
      return await act('proveContents', input, {
        taskQueue: holder,
        scheduleToStartTimeout: HOLDER_TIMEOUT,
        retry: { maximumAttempts: 1 },
      });
    } catch (error) {
      const final =
        error instanceof ActivityFailure && error.cause instanceof ApplicationFailure && error.cause.nonRetryable;
      if (isCancellation(error) || final) throw error;
      migration.notice(
        'the snapshots of the pause are lost with their worker or its sessions; the proof goes by row versions',
      );
    }
  }
  return act('proveContents', input);
}
