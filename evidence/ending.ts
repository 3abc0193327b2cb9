import type { Check } from '../plan/checks';
import { ENDING_FAILURES } from '../plan/failures';
import { presentName, renames } from '../plan/instance-names';
import type { CutoverFacts, Proof, Report } from '../plan/report';
import { counted, milliseconds, moment } from './words';

/** How a migration ended, or how far it is. Each has its own headline, and its own before and after. */
export type End =
  | 'under-way'
  | 'switched'
  | 'going-back'
  | 'completed'
  | 'source-kept'
  | 'rolled-back'
  | 'aborted'
  | 'blocked'
  | 'failed';

export function endOf(report: Report): End {
  const { status, plan, cutover, rollback, progress } = report;
  if (status === 'completed') return plan.keep?.source ? 'source-kept' : 'completed';
  if (status === 'rolled-back' || status === 'aborted') return status;
  if (status === 'failed') {
    const touched = progress.steps.some(({ name, startedAt }) => name !== 'preflight' && startedAt !== undefined);
    return !touched && stopsOf(report).length > 0 ? 'blocked' : 'failed';
  }
  if (rollback) return 'going-back';
  return cutover ? 'switched' : 'under-way';
}

/** The side that applications are on. */
export const servedBy = ({ cutover, rollback }: Report): 'source' | 'target' =>
  cutover && !rollback?.cutover ? 'target' : 'source';

/**
 * Checks that stop the migration: blocks that the plan did not override and warnings that it did not acknowledge. By what the report
 * says, since one of another version may have checks that this version does not know.
 */
export function stopsOf({ checks, overridden, plan }: Report): Check[] {
  const letPass = new Set<string>(overridden.map(({ code }) => code));
  const acknowledged = new Set<string>(plan.acknowledge);
  return checks.filter(
    ({ level, code }) => (level === 'block' && !letPass.has(code)) || (level === 'warn' && !acknowledged.has(code)),
  );
}

/** Warnings that the plan accepts by code. */
export const acknowledgedOf = ({ checks, plan }: Report): Check[] =>
  checks.filter(({ level, code }) => level === 'warn' && plan.acknowledge.includes(code));

/** What source and target are called where applications are now. */
export function namesOf(report: Report): { readonly source: string; readonly target: string } {
  const { plan } = report;
  const renamed = servedBy(report) === 'target' && renames(plan) ? { renamed: 'both' as const } : {};
  return { source: presentName({ plan, ...renamed }, 'source'), target: presentName({ plan, ...renamed }, 'target') };
}

const TITLES: Readonly<Record<End, (from: string, to: string) => string>> = {
  'under-way': (from, to) => `${from} is on its way to ${to}`,
  switched: (from, to) => `${from} has been switched to ${to}`,
  'going-back': (from, to) => `${from} is on its way back from ${to}`,
  completed: (from, to) => `${from} was moved to the encrypted ${to}`,
  'source-kept': (from, to) => `${from} was moved to the encrypted ${to}, and the old instance is kept`,
  'rolled-back': (from, to) => `${from} was moved to ${to} and rolled back: the old instance serves again`,
  aborted: (from, to) => `${from} was not moved to ${to}: the migration was aborted`,
  blocked: (from, to) => `${from} was not moved to ${to}: the preflight stopped it`,
  failed: (from, to) => `${from} was not moved to ${to}: the migration failed`,
};

/** One line that says how it ended. */
export const titleOf = (report: Report): string =>
  TITLES[endOf(report)](report.plan.source.instance, report.plan.target.instance);

/** What happened, in a few sentences; each end has its own. */
export function storyOf(report: Report): string[] {
  const { progress } = report;
  return [
    ...STORIES[endOf(report)](report),
    ...(progress.parked ? [`It waits at ${progress.parked.step}: ${progress.parked.message}`] : []),
    ...(progress.gate ? [`It waits for an answer to ${progress.gate.name}.`] : []),
  ];
}

const STORIES: Readonly<Record<End, (report: Report) => string[]>> = {
  'under-way': (report) => [`Traffic is on ${plainName(report)}, as before.`],
  switched: (report) => [...onTarget(report), ...proven(report.proof, 'that moment')],
  'going-back': goingBack,
  completed: (report) => [
    ...onTarget(report),
    ...proven(report.proof, 'that moment'),
    `The old instance ${namesOf(report).source} was deleted.`,
  ],
  'source-kept': (report) => [
    ...onTarget(report),
    ...proven(report.proof, 'that moment'),
    `The old instance ${plainName(report)} stays, fenced.`,
  ],
  'rolled-back': (report) => [
    ...wentBack(report),
    `${report.plan.target.instance} stays, fenced, to be looked into.`,
    ...undone(report),
  ],
  aborted: (report) => [...requestOf(report, 'abort'), neverLeft(report), ...undone(report)],
  blocked: (report) => [
    `${counted(stopsOf(report).length, 'check')} of the preflight stopped it: ${stopsOf(report)
      .map(({ code }) => code)
      .join(', ')}. Nothing was touched: ${plainName(report)} serves as before.`,
  ],
  failed: (report) => [
    ...(report.cutover ? [`Traffic is on ${namesOf(report)[servedBy(report)]}.`] : [neverLeft(report)]),
    ...failureOf(report),
    ...undone(report),
  ],
};

/** The source, and that it is not encrypted where it isn't. */
function plainName(report: Report): string {
  const { source } = namesOf(report);
  return report.source?.encrypted === false ? `${source}, which is not encrypted,` : source;
}

const neverLeft = (report: Report): string => `Traffic never left ${plainName(report)} and is there as before.`;

function onTarget(report: Report): string[] {
  const { cutover, progress } = report;
  if (!cutover) return [];
  const stopped = `Writes were stopped for ${milliseconds(cutover.pauseMs)} until ${moment(cutover.switchedAt)}`;
  return progress.switching
    ? [`${stopped}. Traffic is moved by hand: writes wait until applications use ${progress.switching.to}.`]
    : [`${stopped}; since then ${namesOf(report).target} serves.`];
}

function goingBack(report: Report): string[] {
  const { rollback, cutover } = report;
  if (rollback?.cutover) return [...wentBack(report), 'What was made for the migration is being undone.'];
  return [
    ...(cutover
      ? [`Writes were stopped for ${milliseconds(cutover.pauseMs)} until ${moment(cutover.switchedAt)}.`]
      : []),
    ...requestOf(report, 'rollback'),
    `Until the second pause ${namesOf(report).target} serves.`,
  ];
}

function wentBack(report: Report): string[] {
  const { cutover, rollback } = report;
  const back: CutoverFacts | undefined = rollback?.cutover;
  if (!cutover || !rollback || !back) return [`Traffic is on ${plainName(report)} again.`];
  return [
    `${report.plan.target.instance} served from ${moment(cutover.switchedAt)} to ${moment(back.switchedAt)}; since then ${plainName(report)} serves again.`,
    `Writes were stopped twice: for ${milliseconds(cutover.pauseMs)} at the cutover and for ${milliseconds(back.pauseMs)} at the rollback.`,
    ...requestOf(report, 'rollback'),
    ...proven(rollback.proof, 'the rollback'),
  ];
}

const differs = ({ equalRows = [] }: Proof): string =>
  equalRows.length === 0
    ? 'none differs'
    : `none is lost; ${counted(
        equalRows.reduce((sum, { rows }) => sum + rows, 0),
        'row',
      )} in ${counted(equalRows.length, 'table')} without a key are equal, not identical (1.0 and 1.00)`;

function proven(proof: Proof | undefined, when: string): string[] {
  if (!proof || proof.differences.length > 0) return [];
  return [
    `${counted(proof.rows, 'row')} in ${counted(proof.tables, 'table')} were compared as of ${when}: ${differs(proof)}.${proof.notProvenTables ? ` Of ${counted(proof.notProvenTables, 'table')} the proof says nothing, or not all.` : ''}`,
  ];
}

/** Who asked for it, and why; an abort is known by its notice only. */
function requestOf({ rollback, progress }: Report, what: 'abort' | 'rollback'): string[] {
  if (what === 'rollback')
    return rollback ? [`${rollback.by} asked for the rollback: ${sentence(rollback.reason)}`] : [];
  const said = progress.notices.findLast(({ text }) => text.startsWith('abort requested by '));
  return said ? [sentence(`A${said.text.slice(1)}`)] : [];
}

/** A failure that ends a migration is in its notices. */
function failureOf({ progress }: Report): string[] {
  const said = progress.notices.findLast(({ text }) => ENDING_FAILURES.has(text.split(':')[0] ?? ''));
  return said ? [sentence(said.text)] : [];
}

function undone({ progress }: Report): string[] {
  const failed = progress.undone.filter(({ ok }) => !ok);
  if (progress.undone.length === 0) return [];
  const done = `${counted(progress.undone.length - failed.length, 'change')} undone`;
  return [failed.length > 0 ? `${done}; NOT UNDONE: ${failed.map(({ name }) => name).join(', ')}.` : `${done}.`];
}

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);
