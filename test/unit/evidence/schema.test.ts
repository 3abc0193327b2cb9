import { join } from 'node:path';
import ts from 'typescript';
import type { Report } from '../../../plan/report';
import { reportJsonSchema } from '../../../evidence/schema';
import { closed, published } from '../../support/report-schema';
import { recordedReport, reportsOfHistories } from '../../support/reports';
import { read, ROOT } from '../docs/read';

const REPORTS: [string, Report][] = [['a whole migration', recordedReport()], ...reportsOfHistories()];

test('docs/report.schema.json is what evidence/schema.ts says; if not: npm run report:schema', () => {
  expect(JSON.parse(read('docs/report.schema.json'))).toEqual(reportJsonSchema());
});

test('there are reports to hold against it, of migrations that completed and of some that did not', () => {
  expect(REPORTS.length).toBeGreaterThan(3);
  expect(new Set(REPORTS.map(([, { status }]) => status))).toEqual(new Set(['completed', 'aborted', 'rolled-back']));
});

test.each(REPORTS)('%s has a report that passes, and no field that the schema does not have', (_name, report) => {
  expect(published(report)).toEqual([]);
  expect(closed(report)).toEqual([]);
});

test('refuses what is no report', () => {
  const report = recordedReport() as unknown as Record<string, Record<string, unknown>>;
  const broken = (part: string, change: object) => published({ ...report, [part]: { ...report[part], ...change } });
  expect(published({ ...report, status: 'fine' })).toEqual([expect.stringContaining('/status')]);
  expect(published({ ...report, checks: undefined })).toEqual([expect.stringContaining("'checks'")]);
  expect(broken('cutover', { switchedAt: 'yesterday' })).toEqual([expect.stringContaining('/cutover/switchedAt')]);
  expect(broken('cutover', { fenceLsn: 17 })).toEqual([expect.stringContaining('/cutover/fenceLsn')]);
  expect(broken('proof', { rows: 'many' })).toEqual([expect.stringContaining('/proof/rows')]);
});

test('takes what a later version adds', () => {
  const report = recordedReport();
  expect(published({ ...report, later: { what: 1 }, source: { ...report.source, later: true } })).toEqual([]);
});

describe('the compiler', () => {
  const configFile = join(ROOT, 'tsconfig.json');
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(configFile, (name) => ts.sys.readFile(name)).config,
    ts.sys,
    ROOT,
  );
  const schemaFile = join(ROOT, 'evidence', 'schema.ts');
  const reportFile = join(ROOT, 'plan', 'report.ts');

  /** What the compiler says of the schema when `Report` reads otherwise. */
  function complaints(change: (text: string) => string, before?: ts.Program): { texts: string[]; program: ts.Program } {
    const host = ts.createCompilerHost(options);
    const getSourceFile = host.getSourceFile.bind(host);
    host.getSourceFile = (name, ...rest) => {
      if (name !== reportFile) return before?.getSourceFile(name) ?? getSourceFile(name, ...rest);
      return ts.createSourceFile(name, change(ts.sys.readFile(name) ?? ''), ts.ScriptTarget.ES2022);
    };
    const program = ts.createProgram({ rootNames: [schemaFile], options: { ...options, types: [] }, host });
    const found = program.getSemanticDiagnostics(program.getSourceFile(schemaFile));
    return { program, texts: found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' ')) };
  }

  test('refuses a schema that is not that of Report, and names the field', () => {
    const { texts, program } = complaints((text) => text);
    expect(texts).toEqual([]);
    const gained = complaints(
      (text) => text.replace('  stays: Remains[];', '  stays: Remains[];\n  weather?: string;'),
      program,
    );
    expect(gained.texts.join()).toContain('"weather"');
    const changed = complaints((text) => text.replace('readonly fenceLsn: Lsn;', 'readonly fenceLsn?: Lsn;'), program);
    expect(changed.texts.join()).toContain('"cutover"');
  }, 120_000);
});
