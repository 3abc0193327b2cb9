import { DescribeDBLogFilesCommand, DownloadDBLogFilePortionCommand } from '@aws-sdk/client-rds';
import type { PositionEvidence, PositionSilence } from '../../plan/position';
import type { Aws } from '../dependencies';
import { firstAfterRestore, parseRecoveries, type Restore } from './parse-recovery-log';

/** The first recovery is in the first lines of the first log; more than this is not read. */
const MAX_LOG_FILES = 3;

/** The end of the first recovery after the restore, as the target's own server log tells it. */
export async function fromRecoveryLog(
  aws: Aws,
  instance: string,
  restore: Restore,
): Promise<PositionEvidence | PositionSilence> {
  const files = await oldestLogFiles(aws, instance);
  if (files.length === 0) return { kind: 'recovery-log', why: 'the instance has no log files' };
  let text = '';
  let read: PositionEvidence | PositionSilence | undefined;
  for (const file of files) {
    text += await download(aws, instance, file);
    read = readRecoveryLog(text, file, restore);
    if ('found' in read) return read;
  }
  return read ?? { kind: 'recovery-log', why: `no recovery in ${files.join(', ')}` };
}

/** What the text of a log says. `name` is how the log is called in the evidence. */
export function readRecoveryLog(text: string, name: string, restore: Restore): PositionEvidence | PositionSilence {
  const kind = 'recovery-log';
  const first = firstAfterRestore(parseRecoveries(text), restore);
  if ('why' in first) return { kind, why: `${name}: ${first.why}` };
  const { redoDoneAt, endOfWal, lines } = first.recovery;
  if (!redoDoneAt && !endOfWal) {
    return { kind, why: `${name} names no LSN for the first recovery (redo was not required)` };
  }
  return {
    kind,
    found: `${name}: ${lines.join(' | ')}`,
    ...(redoDoneAt ? { after: redoDoneAt, lastRecord: redoDoneAt } : {}),
    ...(endOfWal ? { upTo: endOfWal, exactly: endOfWal } : {}),
  };
}

async function oldestLogFiles(aws: Aws, instance: string): Promise<string[]> {
  const { DescribeDBLogFiles } = await aws.rds.send(
    new DescribeDBLogFilesCommand({ DBInstanceIdentifier: instance, FilenameContains: 'postgresql' }),
  );
  return (DescribeDBLogFiles ?? [])
    .sort((a, b) => (a.LogFileName ?? '').localeCompare(b.LogFileName ?? ''))
    .flatMap(({ LogFileName }) => LogFileName ?? [])
    .slice(0, MAX_LOG_FILES);
}

/** A log file from its beginning, page by page (`Marker` "0" is the beginning). */
async function download(aws: Aws, instance: string, file: string): Promise<string> {
  let text = '';
  let marker: string | undefined = '0';
  while (marker !== undefined) {
    const page: {
      LogFileData?: string | undefined;
      Marker?: string | undefined;
      AdditionalDataPending?: boolean | undefined;
    } = await aws.rds.send(
      new DownloadDBLogFilePortionCommand({ DBInstanceIdentifier: instance, LogFileName: file, Marker: marker }),
    );
    text += page.LogFileData ?? '';
    marker = page.AdditionalDataPending ? page.Marker : undefined;
  }
  return text;
}
