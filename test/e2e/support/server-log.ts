import {
  CreateDBParameterGroupCommand,
  DescribeDBLogFilesCommand,
  DownloadDBLogFilePortionCommand,
  type DownloadDBLogFilePortionCommandOutput,
  ModifyDBInstanceCommand,
  ModifyDBParameterGroupCommand,
  RebootDBInstanceCommand,
} from '@aws-sdk/client-rds';
import type { Aws } from '../../../local/app/aws';
import { describeInstance } from '../../../local/app/source';
import { eventually } from './worlds';

/** Lets an instance log every statement, with the application's name in front, by a parameter group of its own. */
export const logEverything = (aws: Aws, instance: string): Promise<void> =>
  useParameters(aws, instance, 'log-everything', {
    log_statement: 'all',
    log_min_error_statement: 'debug5',
    log_line_prefix: '<%a> ',
  });

/** Lets an instance export its log to CloudWatch, which makes a log group. */
export async function exportLog(aws: Aws, instance: string): Promise<void> {
  await aws.rds.send(
    new ModifyDBInstanceCommand({
      DBInstanceIdentifier: instance,
      CloudwatchLogsExportConfiguration: { EnableLogTypes: ['postgresql'] },
    }),
  );
  await eventually('the log is exported', async () => {
    const found = await describeInstance(aws, instance);
    return (
      found?.DBInstanceStatus === 'available' &&
      found.EnabledCloudwatchLogsExports?.includes('postgresql') &&
      Object.keys(found.PendingModifiedValues ?? {}).length === 0
    );
  });
}

/** Gives an instance a parameter group of its own, and reboots it. */
export async function useParameters(
  aws: Aws,
  instance: string,
  group: string,
  parameters: Readonly<Record<string, string>>,
): Promise<void> {
  await aws.rds.send(
    new CreateDBParameterGroupCommand({
      DBParameterGroupName: group,
      DBParameterGroupFamily: 'postgres16',
      Description: group,
    }),
  );
  await aws.rds.send(
    new ModifyDBParameterGroupCommand({
      DBParameterGroupName: group,
      Parameters: Object.entries(parameters).map(([ParameterName, ParameterValue]) => ({
        ParameterName,
        ParameterValue,
        ApplyMethod: 'pending-reboot' as const,
      })),
    }),
  );
  await aws.rds.send(
    new ModifyDBInstanceCommand({
      DBInstanceIdentifier: instance,
      DBParameterGroupName: group,
      ApplyImmediately: true,
    }),
  );
  const applyStatus = async (wanted: string) => {
    const found = await describeInstance(aws, instance);
    const status = found?.DBParameterGroups?.[0]?.ParameterApplyStatus;
    return found?.DBInstanceStatus === 'available' && status === wanted;
  };
  await eventually('the group waits for a reboot', () => applyStatus('pending-reboot'));
  await aws.rds.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: instance }));
  await eventually('the group is in force', () => applyStatus('in-sync'));
}

/** The whole log of an instance, file after file. */
export async function downloadLog(aws: Aws, instance: string): Promise<string> {
  const { DescribeDBLogFiles } = await aws.rds.send(new DescribeDBLogFilesCommand({ DBInstanceIdentifier: instance }));
  let text = '';
  for (const { LogFileName } of DescribeDBLogFiles ?? []) {
    for (let Marker: string | undefined = '0'; Marker !== undefined;) {
      const page: DownloadDBLogFilePortionCommandOutput = await aws.rds.send(
        new DownloadDBLogFilePortionCommand({ DBInstanceIdentifier: instance, LogFileName, Marker }),
      );
      text += page.LogFileData ?? '';
      Marker = page.AdditionalDataPending ? page.Marker : undefined;
    }
  }
  return text;
}

/** Statements that sessions of the product ran, as the server logged them (lines that follow belong to the one before). */
export function statementsOfKeyshift(log: string): string[] {
  const entries = log.split(/\n(?=<)/);
  return entries.flatMap(
    (entry) => /^<keyshift\/[^>]*> LOG: {2}(?:statement|execute [^:]*): ([^]*)$/.exec(entry)?.[1] ?? [],
  );
}
