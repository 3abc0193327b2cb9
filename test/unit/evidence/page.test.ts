import { createHash } from 'node:crypto';
import type { Report } from '../../../plan/report';
import { renderPage } from '../../../evidence/page';
import { recordedReport, reportOf, reportsOfHistories } from '../../support/reports';

const REPORTS: [string, Report][] = [['a whole migration', recordedReport()], ...reportsOfHistories()];

/** The page as a person reads it. */
const words = (html: string): string =>
  html
    .slice(html.indexOf('<body>'))
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replaceAll(/\s+/g, ' ');

test.each(REPORTS)('%s: a page without holes, scripts and addresses to load from', (_name, report) => {
  const html = renderPage(report);
  expect(words(html)).not.toMatch(/\bundefined\b|\bNaN\b|\[object|\bInvalid Date\b/);
  expect(html).not.toMatch(/<script|\son\w+=|javascript:|@import|url\(/i);
  for (const [, address = ''] of html.matchAll(/\s(?:src|href|action|data|srcset)="([^"]*)"/g)) {
    expect(address).toMatch(/^(#[a-z-]+|data:,)$/);
  }
  const ids = [...html.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const [, id = ''] of html.matchAll(/href="#([^"]*)"/g)) expect(ids).toContain(id);
});

test('the policy of the page lets in its own style and nothing else', () => {
  const html = renderPage(recordedReport());
  const style = /<style>([\s\S]*)<\/style>/.exec(html)?.[1] ?? '';
  const hash = createHash('sha256').update(style).digest('base64');
  expect(html).toContain(`default-src 'none'; img-src data:; style-src 'sha256-${hash}'`);
});

test('an auditor finds what moved, under which key, when, by whom, let pass why, proven how, and what is left', () => {
  const report = recordedReport();
  const text = words(renderPage(report));
  const { source, target, cutover, progress, proof } = report;
  for (const part of [
    'app-db was moved to the encrypted app-db-encrypted',
    'Completed',
    `Writes were stopped for ${cutover?.pauseMs} ms until`,
    source?.resourceId,
    target?.resourceId,
    'not encrypted',
    target?.kmsKeyArn,
    'PostgreSQL 16.14',
    ...progress.approvals.flatMap(({ by, comment }) => [by, comment]),
    'page_cache fills itself again; agreed with the shop team',
    ...report.checks.map(({ message }) => message),
    ...(cutover?.timeline ?? []).map(({ step }) => step),
    'Steps of the migration over time',
    'How far the target was behind the source',
    'The pause of writes, step by step',
    `${proof?.rows} rows in ${proof?.tables} tables, identical`,
    ...report.stays.flatMap(({ name, why }) => [name, why]),
    'source app-db resource id',
    ...(report.slots ?? []).map(({ slot }) => slot),
    ...progress.notices.map(({ text: notice }) => notice),
  ]) {
    expect(text).toContain((part ?? 'absent').replaceAll(/\s+/g, ' '));
  }
});

test('what people and servers wrote stays text', () => {
  const report = recordedReport();
  const evil = '<script>alert("x")</script><img src=x onerror=alert(1)>';
  const [approval] = report.progress.approvals;
  Object.assign(approval ?? {}, { by: evil, comment: evil });
  report.progress.notices.push({ at: '2026-11-21T10:00:00.000Z', text: evil });
  report.stays.push({ what: evil, name: evil, why: evil });
  const html = renderPage({ ...report, overridden: [{ code: 'quota', reason: evil }] });
  expect(html).not.toMatch(/<script|<img/);
  expect(words(html)).toContain(evil);
});

test('what the source cost, and its log groups that are gone or stay, are in it', () => {
  const report = recordedReport();
  if (!report.removal) throw new Error('no removal in it');
  const [gone, stays] = ['/aws/rds/instance/app-db/postgresql', '/aws/rds/instance/app-db/upgrade'];
  const group = { storedBytes: 0, protected: false };
  const text = words(
    renderPage({
      ...report,
      plan: { ...report.plan, keep: { ...report.plan.keep, logGroups: false } },
      removal: {
        ...report.removal,
        logGroups: [gone, stays].map((name) => ({ ...group, name: name ?? '' })),
        costs: [{ instance: 'app-db', what: 'db.m6g.large', amount: 4.2, currency: 'USD' }],
      },
      stays: [...report.stays, { what: 'log group', name: stays ?? '', why: 'it is protected' }],
    }),
  );
  expect(text).toContain('app-db: about 4.20 USD a day (db.m6g.large, on demand)');
  expect(text).toContain(`log group ${gone} with all that was logged`);
  expect(text).not.toContain(`log group ${stays} with all that was logged`);
  expect(text).toContain(`log group ${stays} it is protected`);
});

test('when the source was stopped, and started, is in it', () => {
  const sourceStopped = { at: '2026-11-21T10:00:00.000Z', startedAt: '2026-11-28T09:00:00.000Z' };
  const text = words(renderPage({ ...recordedReport(), sourceStopped }));
  expect(text).toContain('stopped at 2026-11-21T10:00:00.000Z, started at 2026-11-28T09:00:00.000Z for its removal');
});

test('a migration that was aborted says that nothing of the source was lost', () => {
  const text = words(renderPage(reportOf('aborted-at-the-cutover-gate')));
  for (const part of [
    'app-db was not moved to app-db-encrypted',
    'Traffic never left app-db, which is not encrypted, and is there as before. 11 changes undone.',
    'Nothing of the source was deleted.',
    'Traffic was never switched: writes went on on the source.',
  ])
    expect(text).toContain(part);
});

test('differences, and a proof that could not be exact, are not hidden', () => {
  const report = recordedReport();
  if (!report.proof) throw new Error('no proof in it');
  const differences = [
    { database: 'shop', table: 'public.orders', onlyOnSource: 2, onlyOnTarget: 0, different: 1, examples: ['(17)'] },
  ];
  const proof = { ...report.proof, method: 'row-versions', goneSince: 3, differences } as const;
  const text = words(renderPage({ ...report, proof, shortened: ['checks: 5 of 70'] }));
  for (const part of [
    '1 TABLES DIFFER',
    'DIFFERENT',
    'shop: public.orders',
    '(17)',
    '3 deleted since',
    'checks: 5 of 70',
  ])
    expect(text).toContain(part);
});
