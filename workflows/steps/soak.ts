import { ActivityFailure, ApplicationFailure, isCancellation, TimeoutFailure } from '@temporalio/workflow';
import type { SourceFacts } from '../../plan/checks';
import type { SavedComparison } from '../../activities/compare/progress';
import { type CutoverFacts, type Proof, proofLine } from '../../plan/report';
import { act } from '../act';
import type { Migration } from '../migration';

/** How long the process that holds the snapshots may take to begin with the proof before it is taken for dead. */
const HOLDER_TIMEOUT = '20 seconds';

/** What was stopped starts on the target; the proof as of the cutover, while applications write to the target; then a look at who is connected where. */
export async function soak(
  migration: Migration,
  { databases }: SourceFacts,
  { targetSnapshots, holder, switchedAt, neighbours }: CutoverFacts,
  { switchedOff }: { readonly switchedOff: boolean },
): Promise<void> {
  await migration.step('resume', async (note) => {
    if (!switchedOff && !neighbours) return note('nothing was switched off');
    const input = { ...migration.ref, databases, ...(neighbours ? { neighbours } : {}) };
    const { triggers, cronJobs, subscriptions, stays } = await act('resumeNeighbours', input);
    for (const text of stays) migration.notice(text);
    note(`${subscriptions.length} subscriptions, ${cronJobs} cron jobs, ${triggers} triggers of apply`);
  });

  await migration.step('proof', async (note) => {
    const proof = await prove(migration, { ...migration.ref, databases, targetSnapshots }, holder);
    migration.report.proof = proof;
    for (const text of surprises(proof)) migration.notice(text);
    note(proofLine(proof, switchedAt));
  });

  await migration.step('watch', async (note) => {
    const { onTarget, stragglers, removal } = await act('watchTraffic', migration.ref);
    if (removal) migration.report.removal = removal;
    for (const straggler of stragglers) migration.notice(`still connected to the old source: ${straggler}`);
    note(`${onTarget} sessions on the target, ${stragglers.length} on the source`);
  });
}

/** What the proof found beside the contents of tables; nothing to stop for, but to look at. */
function surprises({ inventory = {}, sequencesBehind = [] }: Proof): string[] {
  const kinds = Object.entries(inventory).filter(([, { source, target }]) => source !== target);
  return [
    ...(kinds.length > 0
      ? [
          `source and target do not have the same number of ${kinds.map(([kind, { source, target }]) => `${kind} (${source}, ${target})`).join(', ')}`,
        ]
      : []),
    ...(sequencesBehind.length > 0 ? [`sequences of the target behind the source: ${sequencesBehind.join(', ')}`] : []),
  ];
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
      const bySnapshot = provenBefore(error);
      const howFar = bySnapshot ? `, after ${bySnapshot.tables} tables had been proven under them` : '';
      migration.notice(
        `the snapshots of the pause are lost with their worker or its sessions${howFar}; the proof goes on by row versions`,
      );
      return act('proveContents', { ...input, ...(bySnapshot ? { bySnapshot } : {}) });
    }
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
  return resume && { ...resume, open: {} };
}
