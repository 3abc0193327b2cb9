import fc from 'fast-check';
import { fitLines, fitTexts, green, lineText, red } from '../../../plan/board';
import { fitProgress, fitReport, jsonBytes, MAX_PROGRESS_BYTES, MAX_REPORT_BYTES } from '../../../plan/fit-report';
import type { Progress } from '../../../plan/progress';
import type { Report } from '../../../plan/report';
import { reportSchema } from '../../../evidence/schema';
import { recordedReport } from '../../support/reports';
import { MAX_DETAILS_BYTES, renderDetails } from '../../../workflows/details';

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

/** What 10,000 tables leave in everything that the workflow shows. */
function progressOfMany(): Progress {
  const { progress } = recordedReport();
  const names = Array.from({ length: 10_000 }, (_, n) => `shop: ${'s'.repeat(63)}.table_${n} is not on the target`);
  const at = '2026-11-30T10:00:00.000Z';
  return {
    ...progress,
    board: { at, lines: red('drift', ...names) },
    blocked: { lines: red('drift', ...names), command: 'temporal workflow signal' },
    parked: { step: 'proof', type: 'ContentsDiffer', message: names.join('\n') },
    gate: { name: 'cutover', opening: 1, openedAt: at, findings: names, command: 'temporal workflow signal' },
    notices: Array.from({ length: 50 }, () => ({ at, text: names.slice(0, 1_000).join('; ') })),
    undone: names.map((name) => ({ name, ok: false, message: name })),
  };
}

describe('of 10,000 tables', () => {
  it('the answer of the query progress is cut until it fits, and says who approved what as before', () => {
    const progress = progressOfMany();
    expect(jsonBytes(progress)).toBeGreaterThan(3 * MAX_PROGRESS_BYTES);
    const fitted = fitProgress({ ...progress, undone: [] });
    expect(jsonBytes(fitted)).toBeLessThanOrEqual(MAX_PROGRESS_BYTES);
    expect(fitted.steps).toEqual(progress.steps);
    expect(fitted.approvals).toEqual(progress.approvals);
    expect(fitted.gate?.findings[0]).toBe(progress.gate?.findings[0]);
  });

  it('one that fits stays as it is', () => {
    const { progress } = recordedReport();
    expect(fitProgress(progress)).toBe(progress);
  });

  it('the current details have room, too', () => {
    const details = renderDetails(progressOfMany());
    expect(jsonBytes(details)).toBeLessThanOrEqual(MAX_DETAILS_BYTES);
    expect(details).toContain('ContentsDiffer');
  });

  it('the report has room', () => {
    const report = { ...recordedReport(), progress: { ...progressOfMany(), undone: [] } };
    const fitted = fitReport(report);
    expect(jsonBytes(fitted)).toBeLessThanOrEqual(MAX_REPORT_BYTES);
    expect(reportSchema.safeParse(fitted).error).toBeUndefined();
  });

  it('the board names some lines of each code, and how many more there are', () => {
    const names = Array.from({ length: 10_000 }, (_, n) => `table ${n} ${'x'.repeat(5_000)}`);
    const lines = fitLines([
      ...green('lag', 'lag 0 bytes'),
      ...red('new-tables', ...names),
      ...red('drift', 'differs'),
    ]);
    expect(jsonBytes(lines)).toBeLessThan(200_000);
    expect(lines.filter(({ code }) => code === 'new-tables')).toHaveLength(51);
    expect(lines.map(lineText)).toEqual(
      expect.arrayContaining(['lag: lag 0 bytes', 'drift: differs', 'new-tables: and 9950 more like these']),
    );
    expect(fitTexts(names).at(-1)).toBe('and 9950 more');
  });
});
