import { makeTelemetryFilterString, Runtime, Worker } from '@temporalio/worker';
import { QUIET, quietBundle } from '../support/workflow-lab';
import { historyFiles, readHistory } from './history-file';

/** A busy machine takes its time: each history is some hundred milliseconds of work. */
export const REPLAY_TIMEOUT_MS = 900_000;

/** Replays every history against the workflows of a folder, by one worker. @returns what went wrong, by file */
export async function replayAll(workflowsPath: string): Promise<Map<string, Error | undefined>> {
  // A replay that fails is what one of the tests is for: no line for each.
  const logging = { filter: makeTelemetryFilterString({ core: 'ERROR' }) };
  Runtime.install({ logger: QUIET, telemetryOptions: { logging } });
  try {
    const workflowBundle = await quietBundle(workflowsPath);
    const files = historyFiles();
    // The id of a workflow is that of a migration, which no name of a file is.
    const histories = files.map((file, place) => ({ workflowId: `m-${place}`, history: readHistory(file) }));
    const errors = new Map<string, Error | undefined>();
    for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle }, histories)) {
      errors.set(files[Number(workflowId.slice('m-'.length))] ?? '', error);
    }
    return errors;
  } finally {
    await Runtime.instance().shutdown();
  }
}
