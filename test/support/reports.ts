import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultPayloadConverter } from '@temporalio/common';
import type { Report } from '../../plan/report';
import { WORKFLOW_TYPE } from '../../plan/temporal';
import { historyFiles, readHistory, scenarioOf } from '../replay/history-file';

const REPORTS = join(__dirname, '..', 'unit', 'evidence', 'reports');

/** A report of a whole migration of the sample application, recorded by `npm run report:record`. */
export const recordedReport = (): Report =>
  JSON.parse(readFileSync(join(REPORTS, 'encrypt-app-db.json'), 'utf8')) as Report;

/** With which the first history of a scenario ended. */
export function reportOf(scenario: string): Report {
  const [, report] = reportsOfHistories().find(([name]) => scenarioOf(name) === scenario) ?? [];
  if (!report) throw new Error(`no history of ${scenario} with a report`);
  return report;
}

/** Reports that recorded workflows ended with: of this version and of those before. */
export function reportsOfHistories(): [name: string, report: Report][] {
  return historyFiles().flatMap((name) => {
    const { events } = readHistory(name);
    // The preflight alone ends with its checks.
    if (events?.[0]?.workflowExecutionStartedEventAttributes?.workflowType?.name !== WORKFLOW_TYPE) return [];
    const payload = events?.at(-1)?.workflowExecutionCompletedEventAttributes?.result?.payloads?.[0];
    return payload ? [[name, defaultPayloadConverter.fromPayload<Report>(payload)] as [string, Report]] : [];
  });
}
