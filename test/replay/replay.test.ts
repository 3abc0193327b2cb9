import { historyFiles, scenarioOf } from './history-file';
import { REPLAY_TIMEOUT_MS, replayAll } from './replay-all';
import { SCENARIOS } from './scenarios';

const files = historyFiles();

describe('recorded histories', () => {
  it.each(Object.keys(SCENARIOS))('are there of the scenario %s', (scenario) => {
    expect(files.filter((file) => scenarioOf(file) === scenario)).not.toEqual([]);
  });

  it('are all of scenarios that are there', () => {
    expect(files.filter((file) => !(scenarioOf(file) in SCENARIOS))).toEqual([]);
  });
});

describe('the workflow as it is', () => {
  let errors: Map<string, Error | undefined>;
  beforeAll(async () => {
    errors = await replayAll(require.resolve('../../workflows'));
  }, REPLAY_TIMEOUT_MS);

  it.each(files)('goes the way of %s', (file) => {
    expect(errors.has(file)).toBe(true);
    expect(errors.get(file)).toBeUndefined();
  });
});
