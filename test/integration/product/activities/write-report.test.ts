import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ApplicationFailure } from '@temporalio/common';
import type { Dependencies } from '../../../../activities/dependencies';
import { writeReport, type WrittenReport } from '../../../../activities/evidence/write-report';
import { renderPage } from '../../../../evidence/page';
import type { PlanInput } from '../../../../plan/plan';
import type { Report } from '../../../../plan/report';
import { migrationRef } from '../../../support/activity-lab';
import { SMALLEST_PLAN } from '../../../support/plan';
import { recordedReport } from '../../../support/reports';

const folder = join('.keyshift', `test-report-${randomUUID().slice(0, 8)}`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const dependencies = { aws: () => ({}) } as unknown as Dependencies;
const report = recordedReport();

/** The same migration id, started at another time. */
const later = (): Report => {
  const copy = recordedReport();
  const [first] = copy.progress.steps;
  if (first) first.startedAt = '2027-01-02T03:04:05.678Z';
  return copy;
};

const write = (where: NonNullable<PlanInput['report']>, what = report, deps = dependencies): Promise<WrittenReport[]> =>
  writeReport(deps, { ...migrationRef({ ...SMALLEST_PLAN, report: where }, what.migration), report: what });

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('a folder', () => {
  test('gets the report as JSON and as a page, whole, and says what is in them; twice is once', async () => {
    const file = join(folder, 'new', 'deep');
    const kept = await write({ file });
    expect(kept.map(({ address }) => address)).toEqual([
      resolve(file, 'encrypt-app-db.json'),
      resolve(file, 'encrypt-app-db.html'),
    ]);
    const [json = '', html = ''] = kept.map(({ address }) => readFileSync(address, 'utf8'));
    expect(JSON.parse(json)).toEqual(report);
    expect(html).toBe(renderPage(report));
    expect(kept.map((one) => one.sha256)).toEqual([sha256(json), sha256(html)]);
    await expect(write({ file })).resolves.toEqual(kept);
    expect(readdirSync(file).sort()).toEqual(['encrypt-app-db.html', 'encrypt-app-db.json']);
  });

  test('keeps the report of an earlier migration of that id, and what an attempt of the same one has left is written anew', async () => {
    const file = join(folder, 'twice');
    const [first] = await write({ file });
    const [second] = await write({ file }, later());
    expect(second?.address).toBe(resolve(file, 'encrypt-app-db-20270102T030405678Z.json'));
    expect(JSON.parse(readFileSync(first?.address ?? '', 'utf8'))).toEqual(report);
    // The same migration, parked and retried: it has more to say.
    const more = later();
    more.progress.notices.push({ at: '2027-01-03T00:00:00.000Z', text: 'retry requested by ada' });
    await expect(write({ file }, more)).resolves.toMatchObject([{ address: second?.address }, {}]);
    expect(readdirSync(file).length).toBe(4);
    expect(JSON.parse(readFileSync(second?.address ?? '', 'utf8'))).toEqual(more);
  });

  test('that is none parks the migration, with what to do', async () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'a-file'), '');
    const failure = await write({ file: join(folder, 'a-file') }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({ type: 'ReportNotWritten', nonRetryable: true });
    expect((failure as Error).message).toContain('then send retry');
  });
});
