import { fitReport } from './fit-report';
import type { MigrationStatus } from './progress';
import type { Report } from './report';

/**
 * The report as it is when the workflow has ended with a status, for copies that are made just before that.
 * @param at ISO 8601, workflow time
 */
export function endedReport(report: Report, status: MigrationStatus, at: string): Report {
  const { progress } = report;
  const steps = progress.steps.map((step) =>
    step.name === 'evidence' && step.status === 'running' ? { ...step, status: 'done' as const, endedAt: at } : step,
  );
  return fitReport({ ...report, status, progress: { ...progress, status, steps } });
}
