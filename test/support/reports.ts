import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultPayloadConverter } from '@temporalio/common';
import type { Report } from '../../plan/report';
import { fromText } from '../replay/history-file';

const REPORTS = join(__dirname, '..', 'unit', 'evidence', 'reports');
const HISTORIES = join(__dirname, '..', 'replay', 'histories');

const filesIn = (folder: string): string[] => readdirSync(folder).filter((name) => name.endsWith('.json'));

/** A report of a whole migration of the sample application, recorded by `npm run report:record`. */
export const recordedReport = (): Report =>
  JSON.parse(readFileSync(join(REPORTS, 'encrypt-app-db.json'), 'utf8')) as Report;

/** Reports that recorded workflows ended with: of this version and of those before. */
export function reportsOfHistories(): [name: string, report: Report][] {
  return filesIn(HISTORIES).flatMap((name) => {
    const { events } = fromText(readFileSync(join(HISTORIES, name), 'utf8'));
    const payload = events?.at(-1)?.workflowExecutionCompletedEventAttributes?.result?.payloads?.[0];
    return payload ? [[name, defaultPayloadConverter.fromPayload<Report>(payload)] as [string, Report]] : [];
  });
}
