import { parseRecoveries } from '../../../../activities/position/parse-recovery-log';
import { RecoveryLines } from '../../../../activities/position/recovery-lines';

const PREFIX = '2026-11-21 10:00:00 UTC::@:[1]:LOG:  ';
const RECOVERY = [
  'database system was interrupted; last known up at 2026-11-21 09:59:58 UTC',
  'redo starts at 0/3000028',
  'invalid record length at 0/3A1B2C8: expected at least 24, got 0',
  'redo done at 0/3A1B290 system usage: CPU: user: 0.02 s, system: 0.01 s, elapsed: 0.04 s',
  'database system is ready to accept connections',
].map((line) => `${PREFIX}${line}\n`);
const NOISE = `${PREFIX}statement: UPDATE accounts SET balance = balance + 1\n`.repeat(50);

const log = RECOVERY.flatMap((line) => [NOISE, line]).join('');

it.each([1, 7, 100, 4_096])('are the same however the log is cut, into portions of %d characters too', (size) => {
  const lines = new RecoveryLines();
  for (let at = 0; at < log.length; at += size) lines.add(log.slice(at, at + size));
  lines.endFile();
  expect(lines.text).toBe(RECOVERY.join(''));
  expect(parseRecoveries(lines.text)).toEqual(parseRecoveries(log));
});

it('end with their file, also where its last line does not', () => {
  const lines = new RecoveryLines();
  const [first = '', ...rest] = RECOVERY;
  lines.add(first.trimEnd());
  lines.endFile();
  lines.add(rest.join(''));
  expect(parseRecoveries(lines.text)).toHaveLength(1);
});
