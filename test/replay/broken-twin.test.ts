import { DeterminismViolationError } from '@temporalio/workflow';
import { historyFiles } from './history-file';
import { REPLAY_TIMEOUT_MS, replayAll } from './replay-all';

describe('a workflow with one step too many', () => {
  let errors: Map<string, Error | undefined>;
  beforeAll(async () => {
    errors = await replayAll(require.resolve('./broken-twin'));
  }, REPLAY_TIMEOUT_MS);

  it.each(historyFiles())('is caught by %s', (file) => {
    expect(errors.get(file)).toBeInstanceOf(DeterminismViolationError);
  });
});
