import fc from 'fast-check';
import { fitReport, jsonBytes, MAX_REPORT_BYTES } from '../../../plan/fit-report';
import type { Report } from '../../../plan/report';
import { reportSchema } from '../../../evidence/schema';
import { recordedReport } from '../../support/reports';

test('counts bytes as UTF-8 does', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(jsonBytes(text)).toBe(Buffer.byteLength(JSON.stringify(text)));
    }),
  );
});

test('a report that fits in stays as it is', () => {
  const report = recordedReport();
  expect(fitReport(report)).toBe(report);
});

const differences = Array.from({ length: 3_000 }, (_, place) => ({
  database: 'shop',
  table: `public.table_${place}`,
  onlyOnSource: 1,
  onlyOnTarget: 0,
  different: 0,
  examples: Array.from({ length: 20 }, (_one, key) => `(${key}, ${'ä'.repeat(60)})`),
}));

function huge(): Report {
  const report = recordedReport();
  if (!report.proof) throw new Error('no proof in it');
  return { ...report, proof: { ...report.proof, differences } };
}

test('one that is too long is cut until it fits, says where, and still is a report', () => {
  const report = huge();
  expect(jsonBytes(report)).toBeGreaterThan(2 * MAX_REPORT_BYTES);
  const fitted = fitReport(report);
  expect(jsonBytes(fitted)).toBeLessThanOrEqual(MAX_REPORT_BYTES);
  expect(fitted.shortened).toContainEqual(expect.stringMatching(/^proof\.differences: \d+ of 3000$/));
  expect(reportSchema.safeParse(fitted).error).toBeUndefined();
});

test('who decided what, and what stays, is never cut', () => {
  const report = huge();
  const fitted = fitReport(report, 40_000);
  expect(jsonBytes(fitted)).toBeLessThanOrEqual(40_000);
  for (const part of ['plan', 'overridden', 'stays'] as const) expect(fitted[part]).toEqual(report[part]);
  expect(fitted.progress.approvals).toEqual(report.progress.approvals);
  expect(fitted.progress.steps).toEqual(report.progress.steps);
  expect(fitted.cutover?.timeline).toEqual(report.cutover?.timeline);
  expect(fitted.shortened?.length).toBeLessThanOrEqual(51);
});
