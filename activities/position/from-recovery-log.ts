import { DownloadDBLogFilePortionCommand, paginateDescribeDBLogFiles } from '@aws-sdk/client-rds';
import type { PositionEvidence, PositionSilence } from '../../plan/position';
import { isAwsError } from '../classify-error';
import type { Aws } from '../dependencies';
import { firstAfterRestore, parseRecoveries, type Restore } from './parse-recovery-log';
import { RecoveryLines } from './recovery-lines';

/** The first recovery is in the first lines of the first log that the target wrote; more files than this are not read. */
const MAX_LOG_FILES = 3;
/** Nor more portions, of 1 MB each: a log of the source may have been gone on with. */
const MAX_PORTIONS = 200;
/** The same messages in other formats. */
const OTHER_FORMATS = /\.(csv|json)$/;
/** What AWS says of the time of a file may be cut to seconds. */
const SECOND_MS = 1_000;

/** The end of the first recovery after the restore, as the target's own server log tells it. */
export async function fromRecoveryLog(
  aws: Aws,
  instance: string,
  restore: Restore,
): Promise<PositionEvidence | PositionSilence> {
  const kind = 'recovery-log';
  const { imageBefore } = restore;
  if (imageBefore === undefined) return { kind, why: 'nothing tells when the snapshot was taken' };
  const files = await logFilesSince(aws, instance, imageBefore);
  if (files.length === 0) return { kind, why: 'the instance has no log files that were written after the snapshot' };
  const lines = new RecoveryLines();
  let portions = 0;
  let read: PositionEvidence | PositionSilence | undefined;
  for (const file of files) {
    for await (const portion of portionsOf(aws, instance, file)) {
      lines.add(portion);
      read = readRecoveryLog(lines.text, file, restore);
      if ('found' in read) return read;
      portions += 1;
      if (portions === MAX_PORTIONS) return { kind, why: `${read.why} in the first ${MAX_PORTIONS} MB` };
    }
    lines.endFile();
    read = readRecoveryLog(lines.text, file, restore);
    if ('found' in read) return read;
  }
  return read ?? { kind, why: `no recovery in ${files.join(', ')}` };
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

/**
 * The log files that were written after an image was taken, oldest first. A restored instance may list those of its source, which lay on the same volume:
 * nothing in them is about this instance.
 */
async function logFilesSince(aws: Aws, instance: string, since: Date): Promise<string[]> {
  const input = {
    DBInstanceIdentifier: instance,
    FilenameContains: 'postgresql',
    FileLastWritten: since.getTime() - SECOND_MS,
  };
  const files: { readonly name: string; readonly at: number }[] = [];
  for await (const { DescribeDBLogFiles = [] } of paginateDescribeDBLogFiles({ client: aws.rds }, input)) {
    for (const { LogFileName: name, LastWritten: at = 0 } of DescribeDBLogFiles)
      if (name !== undefined && !OTHER_FORMATS.test(name)) files.push({ name, at });
  }
  return files
    .sort((one, other) => one.at - other.at || one.name.localeCompare(other.name))
    .slice(0, MAX_LOG_FILES)
    .map(({ name }) => name);
}

/** A log file from its beginning (`Marker` "0"), in portions as AWS gives them. Of one that is rotated away meanwhile: what could be had. */
async function* portionsOf({ rds }: Aws, instance: string, file: string): AsyncGenerator<string> {
  let marker: string | undefined = '0';
  while (marker !== undefined) {
    const portion:
      | { LogFileData?: string | undefined; Marker?: string | undefined; AdditionalDataPending?: boolean | undefined }
      | undefined = await rds
      .send(new DownloadDBLogFilePortionCommand({ DBInstanceIdentifier: instance, LogFileName: file, Marker: marker }))
      .catch((error: unknown) => {
        if (isAwsError(error, 'DBLogFileNotFoundFault')) return undefined;
        throw error;
      });
    yield portion?.LogFileData ?? '';
    marker = portion?.AdditionalDataPending ? portion.Marker : undefined;
  }
}
