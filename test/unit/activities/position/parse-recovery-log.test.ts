import { firstAfterRestore, parseRecoveries } from '../../../../activities/position/parse-recovery-log';
import { readRecoveryLog } from '../../../../activities/position/from-recovery-log';

const parseRecoveryLog = (log: string) => parseRecoveries(log)[0];

const PREFIX = '2026-11-21 10:00:00.123 UTC [4711] LOG:  ';
const READY = 'database system is ready to accept connections';
const INTERRUPTED = 'database system was interrupted; last known up at 2026-11-21 09:59:58 UTC';
const UNCLEAN = 'database system was not properly shut down; automatic recovery in progress';
const REDO_STARTS = 'redo starts at 0/3000028';
const redoDone = (lsn: string) =>
  `redo done at ${lsn} system usage: CPU: user: 0.02 s, system: 0.01 s, elapsed: 0.04 s`;

const logOf = (messages: readonly string[], prefix = PREFIX): string =>
  `${messages.map((message) => prefix + message).join('\n')}\n`;

/** A start after a crash, with these lines at the end of WAL. */
const crashStart = (...endOfWal: string[]): string[] => [
  'starting PostgreSQL 16.14 on x86_64-pc-linux-gnu',
  INTERRUPTED,
  UNCLEAN,
  REDO_STARTS,
  ...endOfWal,
  'checkpoint starting: end-of-recovery immediate wait',
  'checkpoint complete: wrote 21 buffers (0.1%); distance=5 kB, estimate=5 kB; lsn=0/3A00000, redo lsn=0/3A00000',
  READY,
];

describe('the end of WAL in the log of a first recovery', () => {
  it.each([
    ['up to 15', 'invalid record length at 0/3A1B2C8: wanted 24, got 0'],
    ['from 16', 'invalid record length at 0/3A1B2C8: expected at least 24, got 0'],
  ])('is the address of "invalid record length", in the spelling %s', (_, line) => {
    expect(parseRecoveryLog(logOf(crashStart(line, redoDone('0/3A1B290'))))).toEqual({
      redoStartsAt: '0/3000028',
      begunAt: new Date('2026-11-21T10:00:00Z'),
      controlFileAt: new Date('2026-11-21T09:59:58Z'),
      redoDoneAt: '0/3A1B290',
      endOfWal: '0/3A1B2C8',
      redoNotRequired: false,
      lines: [`${PREFIX}${line}`, `${PREFIX}${redoDone('0/3A1B290')}`],
    });
  });

  it.each([
    [
      'unexpected pageaddr, up to 15',
      'unexpected pageaddr 0/1A00000 in log segment 000000010000000000000003, offset 10485760',
    ],
    [
      'unexpected pageaddr, from 16',
      'unexpected pageaddr 0/1A00000 in WAL segment 000000010000000000000003, LSN 0/3A00000, offset 10485760',
    ],
    [
      'invalid magic number, up to 15',
      'invalid magic number 0000 in log segment 000000010000000000000003, offset 10485760',
    ],
    [
      'invalid magic number, from 16',
      'invalid magic number 0000 in WAL segment 000000010000000000000003, LSN 0/3A00000, offset 10485760',
    ],
  ])('is not told by %s, which names a page', (_, line) => {
    const found = parseRecoveryLog(logOf(crashStart(line, redoDone('0/39FFFA8'))));
    expect(found).toMatchObject({ redoDoneAt: '0/39FFFA8', lines: [`${PREFIX}${redoDone('0/39FFFA8')}`] });
    expect(found).not.toHaveProperty('endOfWal');
  });

  it('is unknown where there is no such line at all; the start of the last record is', () => {
    const found = parseRecoveryLog(logOf(crashStart(redoDone('0/39FFFA8'))));
    expect(found?.redoDoneAt).toBe('0/39FFFA8');
    expect(found).not.toHaveProperty('endOfWal');
  });

  it('is told without "system usage" by servers up to 12', () => {
    expect(parseRecoveryLog(logOf(crashStart('redo done at 0/39FFFA8')))?.redoDoneAt).toBe('0/39FFFA8');
  });

  it('is where nothing had to be replayed when redo was not required', () => {
    const messages = [
      INTERRUPTED,
      UNCLEAN,
      'invalid record length at 0/3000110: expected at least 24, got 0',
      'redo is not required',
      READY,
    ];
    expect(parseRecoveryLog(logOf(messages))).toMatchObject({ endOfWal: '0/3000110', redoNotRequired: true });
    const without = parseRecoveryLog(logOf(messages.toSpliced(2, 1)));
    expect(without).toMatchObject({ redoNotRequired: true, lines: [`${PREFIX}redo is not required`] });
    expect(without).not.toHaveProperty('endOfWal');
  });
});

describe('of several starts in one log', () => {
  const first = crashStart('invalid record length at 0/3A1B2C8: expected at least 24, got 0', redoDone('0/3A1B290'));
  const later = crashStart('invalid record length at 0/5000110: expected at least 24, got 0', redoDone('0/50000D8'));
  const cleanStop = ['received fast shutdown request', 'database system is shut down'];
  const cleanStart = ['database system was shut down at 2026-11-21 10:01:00 UTC', READY];

  it.each([
    ['another crash', [...first, ...later]],
    ['a clean restart', [...first, ...cleanStop, ...cleanStart]],
    ['a clean restart and a crash', [...first, ...cleanStop, ...cleanStart, ...later]],
    ['clean starts before it', [...cleanStart, ...cleanStop, ...first, ...later]],
  ])('the first recovery counts: %s', (_, messages) => {
    expect(parseRecoveryLog(logOf(messages))).toMatchObject({ redoDoneAt: '0/3A1B290', endOfWal: '0/3A1B2C8' });
  });

  it('none counts where all were clean', () => {
    expect(parseRecoveryLog(logOf([...cleanStart, ...cleanStop, ...cleanStart]))).toBeUndefined();
  });

  it('a recovery that was killed half-way is gone through anew by the next start', () => {
    const killed = [INTERRUPTED, UNCLEAN, REDO_STARTS];
    const again = ['database system was interrupted while in recovery at 2026-11-21 10:00:01 UTC', ...first.slice(2)];
    expect(parseRecoveryLog(logOf([...killed, ...again]))).toMatchObject({
      redoDoneAt: '0/3A1B290',
      endOfWal: '0/3A1B2C8',
    });
  });

  it('a recovery that was killed after redo counts: the next one replays WAL of the clone itself', () => {
    const killedAfterRedo = first.slice(0, -1);
    expect(parseRecoveryLog(logOf([...killedAfterRedo, ...later]))).toMatchObject({
      redoDoneAt: '0/3A1B290',
      endOfWal: '0/3A1B2C8',
    });
  });
});

describe('a log that tells nothing', () => {
  it.each([
    ['is empty', []],
    ['holds other lines', ['checkpoint starting: time', 'connection received: host=10.0.0.1 port=5000']],
    ['ends within the recovery', [INTERRUPTED, UNCLEAN, REDO_STARTS]],
  ])('%s', (_, messages) => {
    expect(parseRecoveryLog(logOf(messages))).toBeUndefined();
  });
});

describe('the prefix of the lines', () => {
  const messages = crashStart(
    'invalid record length at 1A/3A1B2C8: expected at least 24, got 0',
    redoDone('1A/3A1B290'),
  );

  it.each([
    ["RDS's own log_line_prefix", '2026-11-21 10:00:00 UTC::@:[529]:LOG:  '],
    ['none', 'LOG:  '],
    ['with application and database', '2026-11-21 10:00:00 UTC [529]: [3-1] user=,db=,app=,client= LOG:  '],
  ])('does not matter: %s', (_, prefix) => {
    expect(parseRecoveryLog(logOf(messages, prefix))).toMatchObject({
      redoDoneAt: '1A/3A1B290',
      endOfWal: '1A/3A1B2C8',
    });
  });

  it('may end in carriage returns', () => {
    expect(parseRecoveryLog(logOf(messages).replaceAll('\n', '\r\n'))?.lines).toHaveLength(2);
  });
});

describe('the first recovery after the restore', () => {
  const NOT_BEFORE = '0/3800000';
  const imageBefore = new Date('2026-11-21T10:05:00Z');
  const end = ['invalid record length at 0/3A1B2C8: expected at least 24, got 0', redoDone('0/3A1B290')];
  /** A recovery at a time of day, from a control file of another, and a checkpoint. */
  const recovery = (begunAt: string, controlFileAt: string, redoStartsAt: string, ...lines: string[]): string =>
    logOf(
      [
        `database system was interrupted; last known up at 2026-11-21 ${controlFileAt} UTC`,
        UNCLEAN,
        `redo starts at ${redoStartsAt}`,
        ...lines,
        READY,
      ],
      `2026-11-21 ${begunAt} UTC [4711] LOG:  `,
    );
  const chosen = (log: string, change: { imageBefore?: Date | undefined } = {}) =>
    firstAfterRestore(parseRecoveries(log), { imageBefore, notBefore: NOT_BEFORE, ...change });

  it('began from a control file that the source wrote, even where a checkpoint came after the slot', () => {
    const log = recovery('10:20:00', '10:04:50', '0/3900028', ...end);
    expect(chosen(log)).toMatchObject({ recovery: { endOfWal: '0/3A1B2C8' } });
  });

  it('may be known by the checkpoint alone, which lies before our slots', () => {
    const log = recovery('10:20:00', '10:04:59', '0/3700028', ...end);
    expect(chosen(log)).toMatchObject({ recovery: { endOfWal: '0/3A1B2C8' } });
  });

  it('is none where the log was rotated: what is left began from a control file of the clone', () => {
    const log = recovery('11:00:00', '10:20:03', '0/3A1B2C8', redoDone('0/3A1B400'));
    expect(chosen(log)).toEqual({ why: expect.stringMatching(/0\/3A1B400.*may be a later one/) as string });
    expect(readRecoveryLog(log, 'error/log', { imageBefore, notBefore: NOT_BEFORE })).toEqual({
      kind: 'recovery-log',
      why: expect.stringContaining('error/log: the first recovery that is still there') as string,
    });
  });

  it('is none in doubt: the control file is of the same second', () => {
    expect(chosen(recovery('10:20:00', '10:05:00', '0/3900028', ...end))).toHaveProperty('why');
  });

  it('is not one of the source, whose log came along with the image', () => {
    const ofSource = recovery('10:04:00', '10:03:00', '0/3700028', redoDone('0/3900000'));
    const ofClone = recovery('10:20:00', '10:04:50', '0/3900028', ...end);
    expect(chosen(ofSource + ofClone)).toMatchObject({ recovery: { redoDoneAt: '0/3A1B290' } });
    expect(chosen(ofSource)).toEqual({ why: 'only recoveries from before the snapshot' });
  });

  it('is none where nothing tells the time: lines without one, another zone, no snapshot', () => {
    const log = recovery('10:20:00', '10:04:50', '0/3700028', ...end);
    expect(chosen(log.replaceAll('UTC', 'CET'))).toHaveProperty('why');
    expect(chosen(log.replaceAll(/^.*LOG: /gm, 'LOG: '))).toHaveProperty('why');
    expect(chosen(log, { imageBefore: undefined })).toEqual({ why: 'nothing tells when the snapshot was taken' });
  });

  it('that was killed and begun anew is known by its first line', () => {
    const killed = logOf([INTERRUPTED, UNCLEAN, 'redo starts at 0/3900028'], '2026-11-21 10:20:00 UTC [1] LOG:  ');
    const again = recovery('10:20:05', '10:04:50', '0/3900028', ...end).replace(
      'interrupted; last known up at',
      'interrupted while in recovery at',
    );
    expect(chosen(killed + again)).toMatchObject({ recovery: { endOfWal: '0/3A1B2C8' } });
    // Its beginning was rotated away: the end-of-recovery checkpoint of the first try may have been replayed, too.
    expect(chosen(again)).toHaveProperty('why');
  });
});
