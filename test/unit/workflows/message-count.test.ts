import { MessageCount, OPEN_UPDATES, WARN_EVERY_SIGNALS } from '../../../workflows/message-count';

const counted = () => {
  const notices: string[] = [];
  return { notices, count: new MessageCount('m', (text) => notices.push(text)) };
};

test('each thousand signals a notice warns, and says how an abort still comes through', () => {
  const { notices, count } = counted();
  for (let come = 0; come < WARN_EVERY_SIGNALS - 1; come += 1) count.signal();
  expect(notices).toEqual([]);
  count.signal();
  expect(notices).toHaveLength(1);
  expect(notices[0]).toMatch(
    /^1000 signals have come.*10001st.*temporal workflow update execute --workflow-id m --name/,
  );
  for (let come = 0; come < WARN_EVERY_SIGNALS; come += 1) count.signal();
  expect(notices).toHaveLength(2);
});

test('a refused signal says why, until there are so many that it would hide the warning', () => {
  const { notices, count } = counted();
  count.signal();
  count.refusedSignal('why');
  expect(notices).toEqual(['why']);
  for (let come = 0; come < WARN_EVERY_SIGNALS; come += 1) count.signal();
  count.refusedSignal('hides it');
  expect(notices).not.toContain('hides it');
});

test('the last updates that Temporal takes are kept for abort and rollback', () => {
  const { count } = counted();
  for (let taken = 0; taken < OPEN_UPDATES - 1; taken += 1) count.update();
  expect(count.refuseUpdate('retry')).toBeUndefined();
  count.update();
  expect(count.refuseUpdate('retry')).toContain('send retry as a signal');
});
