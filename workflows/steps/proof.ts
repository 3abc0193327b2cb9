import { ActivityFailure, ApplicationFailure, isCancellation, TimeoutFailure } from '@temporalio/workflow';
import type { SavedComparison } from '../../activities/compare/progress';
import { renames } from '../../plan/instance-names';
import type { CutoverFacts, Proof } from '../../plan/report';
import { act } from '../act';
import type { Migration } from '../migration';

/** How long the process that holds the snapshots may take to begin with the proof before it is taken for dead. */
const HOLDER_TIMEOUT = '20 seconds';

/** The snapshots that the pause noted. */
export const snapshotsOf = ({ targetSnapshots, sourceSnapshots }: CutoverFacts) => ({
  targetSnapshots,
  ...(sourceSnapshots ? { sourceSnapshots } : {}),
});

/** The process that made the pause holds its snapshots; when it died, any worker proves by row versions. */
export async function prove(
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
      const bySnapshot = provenBefore(error);
      const howFar = bySnapshot ? `, after ${bySnapshot.tables} tables had been proven under them` : '';
      migration.notice(
        `the snapshots of the pause are lost with their worker or its sessions${howFar}; the proof goes on by row versions`,
      );
      return act('proveContents', { ...input, ...(bySnapshot ? { bySnapshot } : {}) });
    }
  }
  if (renames(migration.plan)) {
    migration.notice(
      'the snapshots of the pause ended with the reboots of the renaming; the proof goes by row versions',
    );
  }
  return act('proveContents', input);
}

/** How far the proof had come: in the last heartbeat of the process that died, or in the failure of the one that lost them. */
function provenBefore(error: unknown): SavedComparison | undefined {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  const details =
    cause instanceof TimeoutFailure
      ? cause.lastHeartbeatDetails
      : cause instanceof ApplicationFailure
        ? cause.details?.[0]
        : undefined;
  const resume = (details as { resume?: SavedComparison } | null | undefined)?.resume;
  // What was read of tables that were not finished is of no use without the snapshots, and long.
  return resume && { ...resume, open: [] };
}
