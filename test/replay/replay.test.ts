import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeterminismViolationError } from '@temporalio/workflow';
import { Runtime, Worker, type WorkflowBundle } from '@temporalio/worker';
import { QUIET, quietBundle } from '../support/workflow-lab';
import { fromText } from './history-file';
import { SCENARIOS } from './scenarios';

const FOLDER = join(__dirname, 'histories');
/** A busy machine takes its time to bundle. */
const BUNDLE_MS = 120_000;
const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json'));

beforeAll(() => void Runtime.install({ logger: QUIET }));
afterAll(() => Runtime.instance().shutdown());

async function replay(workflowBundle: WorkflowBundle, file: string): Promise<Error | undefined> {
  const history = fromText(readFileSync(join(FOLDER, file), 'utf8'));
  const results = Worker.runReplayHistories({ workflowBundle }, [{ workflowId: 'm-replayed', history }]);
  const errors: (Error | undefined)[] = [];
  for await (const { error } of results) errors.push(error);
  expect(errors).toHaveLength(1);
  return errors[0];
}

describe('recorded histories', () => {
  it('are there', () => {
    expect(files).not.toEqual([]);
  });

  it.each(Object.keys(SCENARIOS))('are there of the scenario %s', (scenario) => {
    expect(files.filter((file) => file.startsWith(`${scenario}_`))).not.toEqual([]);
  });
});

describe('the workflow as it is', () => {
  let bundle: WorkflowBundle;
  beforeAll(async () => {
    bundle = await quietBundle(require.resolve('../../workflows'));
  }, BUNDLE_MS);

  it.each(files)('goes the way of %s', async (file) => {
    await expect(replay(bundle, file)).resolves.toBeUndefined();
  });
});

describe('a workflow with one step too many', () => {
  let bundle: WorkflowBundle;
  beforeAll(async () => {
    bundle = await quietBundle(require.resolve('./broken-twin'));
  }, BUNDLE_MS);

  it.each(files)('is caught by %s', async (file) => {
    await expect(replay(bundle, file)).resolves.toBeInstanceOf(DeterminismViolationError);
  });
});
