import type { Report } from '../../plan/report';
import { recordedReport, reportOf } from './reports';

/** Its activities are scripted, and answer the second pause as the first: the real ones give the values of the way back. */
function rolledBack(): Report {
  const report = reportOf('rolled-back');
  const { cutover, rollback } = report;
  if (!cutover || !rollback?.cutover) throw new Error('no two pauses in it');
  const traffic = cutover.traffic.map(({ what, from, to }) => ({ what, from: to, to: from }));
  return { ...report, rollback: { ...rollback, cutover: { ...rollback.cutover, traffic } } };
}

function sourceKept(): Report {
  const report = recordedReport();
  const stays = [{ what: 'source', name: 'app-db', why: 'the plan keeps it; it is fenced' }, ...report.stays];
  return { ...report, plan: { ...report.plan, keep: { ...report.plan.keep, source: true } }, stays };
}

function failed(): Report {
  const report = reportOf('aborted-at-the-cutover-gate');
  const notices = [
    ...report.progress.notices.filter(({ text }) => !text.startsWith('abort requested')),
    { at: '2026-11-21T10:00:00.000Z', text: 'SlotLost: the slot keyshift_x is lost. Everything is undone.' },
  ];
  return { ...report, status: 'failed', progress: { ...report.progress, status: 'failed', notices } };
}

/** A preflight with a block, a warning that the plan does not acknowledge, one that it does, and a block that it overrides. */
export function blockedReport(): Report {
  const { migration, plan, progress } = recordedReport();
  const [preflight, ...others] = progress.steps;
  if (!preflight) throw new Error('no steps in it');
  return {
    migration,
    status: 'failed',
    plan: {
      ...plan,
      acknowledge: ['foreign-tables'],
      override: [{ code: 'unlogged-tables', reason: 'it fills itself' }],
    },
    progress: {
      ...progress,
      phase: 'inspect',
      status: 'failed',
      steps: [preflight, ...others.map(({ name, phase }) => ({ name, phase, status: 'pending' as const }))],
      notices: [],
      approvals: [],
    },
    checks: [
      { code: 'quota', level: 'ok', message: 'enough instances are left' },
      { code: 'source-engine', level: 'block', message: 'the source is MySQL', remedy: 'name another source' },
      { code: 'backups', level: 'warn', message: 'backups are off', remedy: 'turn them on' },
      { code: 'foreign-tables', level: 'warn', message: '2 foreign tables' },
      { code: 'unlogged-tables', level: 'block', message: '1 unlogged table' },
    ],
    overridden: [{ code: 'unlogged-tables', reason: 'it fills itself' }],
    stays: [],
  };
}

/** A report of each end that a migration can have. */
export const ENDED: readonly (readonly [end: string, make: () => Report])[] = [
  ['completed', recordedReport],
  ['source-kept', sourceKept],
  ['rolled-back', rolledBack],
  ['aborted', () => reportOf('aborted-at-the-cutover-gate')],
  ['failed', failed],
  ['blocked', blockedReport],
];

/** The recorded report of that end. */
export function endedReportOf(end: string): Report {
  const [, make] = ENDED.find(([one]) => one === end) ?? [];
  if (!make) throw new Error(`no end ${end}`);
  return make();
}
