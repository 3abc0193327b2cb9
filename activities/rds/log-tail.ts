import { DescribeDBLogFilesCommand, DownloadDBLogFilePortionCommand } from '@aws-sdk/client-rds';
import type { Aws } from '../dependencies';

/** So many of the newest files are read: one may have been begun a moment ago. */
const FILES = 2;
/** Of each file so many lines: RDS gives 1 MB at most. */
const LINES = 2_000;
/** The same messages in other formats. */
const OTHER_FORMATS = /\.(csv|json)$/;

/**
 * The last lines of an instance's server log, oldest first.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DownloadDBLogFilePortion.html: without a marker, the end of the file
 */
export async function logTail({ rds }: Aws, instance: string): Promise<string> {
  const { DescribeDBLogFiles } = await rds.send(
    new DescribeDBLogFilesCommand({ DBInstanceIdentifier: instance, FilenameContains: 'postgresql' }),
  );
  const newest = (DescribeDBLogFiles ?? [])
    .flatMap(({ LogFileName, LastWritten }) => (LogFileName ? [{ LogFileName, at: LastWritten ?? 0 }] : []))
    .filter(({ LogFileName }) => !OTHER_FORMATS.test(LogFileName))
    .sort((one, other) => other.at - one.at || other.LogFileName.localeCompare(one.LogFileName))
    .slice(0, FILES);
  const texts: string[] = [];
  for (const { LogFileName } of newest.reverse()) {
    const { LogFileData } = await rds.send(
      new DownloadDBLogFilePortionCommand({ DBInstanceIdentifier: instance, LogFileName, NumberOfLines: LINES }),
    );
    texts.push(LogFileData ?? '');
  }
  return texts.join('\n');
}
