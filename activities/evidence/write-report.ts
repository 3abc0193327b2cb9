import { createHash } from 'node:crypto';
import { REPORT_FORMATS, type ReportFormat } from '../../evidence/files';
import { finalFailure } from '../../plan/failures';
import type { Report } from '../../plan/report';
import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { type Place, placesOf } from './places';

export interface WriteReportInput extends MigrationRef {
  readonly report: Report;
}

/** A file or an object that holds the report. */
export interface WrittenReport {
  /** Path or address in S3. */
  readonly address: string;
  readonly bytes: number;
  /** In hexadecimal; with it an auditor can tell that nobody changed the copy. */
  readonly sha256: string;
}

/**
 * Keeps the report where the plan says, as `<id>.json` and `<id>.html`, and reads both back. A report of an earlier migration of
 * the same id is not overwritten: this one then has its start in its name.
 * @throws ApplicationFailure ReportNotWritten, ResourceGone (no such bucket), AccessDenied
 */
export async function writeReport(deps: Dependencies, input: WriteReportInput): Promise<WrittenReport[]> {
  if (!input.plan.report) return [];
  const written: WrittenReport[] = [];
  for (const place of placesOf(input.plan.report, awsOf(deps, input).s3)) {
    const base = await nameOf(place, input);
    // The JSON first: by it the next attempt finds out whose the name is.
    for (const format of ['json', 'html'] as const) written.push(await keep(place, base, format, input.report));
  }
  return written;
}

/** The id, or what tells this migration from an earlier one of that id. */
async function nameOf(place: Place, { id, report }: WriteReportInput): Promise<string> {
  const existing = await place.read(`${id}.json`);
  const startedAt = startOf(report);
  if (existing === undefined || startedAt === undefined || startOfText(existing) === startedAt) return id;
  return `${id}-${startedAt.replaceAll(/[:.-]/g, '')}`;
}

const startOf = (report: Partial<Report>): string | undefined =>
  report.progress?.steps.find(({ startedAt }) => startedAt !== undefined)?.startedAt;

function startOfText(text: string): string | undefined {
  try {
    return startOf(JSON.parse(text) as Partial<Report>);
  } catch {
    return undefined;
  }
}

async function keep(place: Place, base: string, format: ReportFormat, report: Report): Promise<WrittenReport> {
  const { type, write } = REPORT_FORMATS[format];
  const name = `${base}.${format}`;
  const text = write(report);
  // Where every version is kept for years, none is added without need.
  if ((await place.read(name)) !== text) {
    await place.write(name, text, type);
    if ((await place.read(name)) !== text) {
      throw finalFailure(
        'ReportNotWritten',
        `${place.address(name)} does not read as it was written. Look who else writes there, and whether the worker may read it (s3:GetObject), then send retry.`,
      );
    }
  }
  return {
    address: place.address(name),
    bytes: Buffer.byteLength(text),
    sha256: createHash('sha256').update(text).digest('hex'),
  };
}
