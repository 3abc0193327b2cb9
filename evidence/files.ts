import type { Report } from '../plan/report';
import { renderPage } from './page';

/** What of a report is kept, and under which ending and type. */
export const REPORT_FORMATS = {
  json: { type: 'application/json', write: (report: Report) => `${JSON.stringify(report, null, 2)}\n` },
  html: { type: 'text/html; charset=utf-8', write: renderPage },
} as const;
export type ReportFormat = keyof typeof REPORT_FORMATS;
