import CliTable from 'cli-table3';
import { isBounded, type PauseTimeline, POOLED_PAUSE_MS, proofLine, type Verdict } from './verdict';

/** The verdict as a table for people. */
export function verdictTable(verdict: Verdict, explanations: readonly string[]): string {
  const table = new CliTable({ style: { head: [], border: [] } });
  const { writes, source, target, pooled, abortedPause } = verdict;
  const add = (what: string, value: string | number, wanted: string, fine: boolean): void => {
    table.push([what, String(value), wanted, fine ? 'ok' : 'WRONG']);
  };
  table.push(['what', 'found', 'wanted', '']);
  add('source encrypted', String(source.encrypted), 'false', !source.encrypted);
  add('target encrypted', String(target.encrypted), 'true', target.encrypted);
  add('key of the target', target.kmsKeyId ?? 'none', 'the key of the plan', target.kmsKeyId !== null);
  add('acknowledged transactions', writes.acknowledged, '> 0', writes.acknowledged > 0);
  add('missing rows', writes.missing, '0', writes.missing === 0);
  add('doubled rows', writes.duplicated, '0', writes.duplicated === 0);
  add('stale rows', writes.stale, '0', writes.stale === 0);
  add('rows compared', verdict.rowsCompared, `> 0 in ${verdict.tables} tables`, verdict.rowsCompared > 0);
  add('rows that differ', verdict.mismatches, '0', verdict.mismatches === 0);
  add('sequences behind', verdict.sequencesBehind, '0', verdict.sequencesBehind === 0);
  const proven = verdict.proof?.differences === 0;
  add('rows that the proof compared', verdict.proof?.rows ?? 0, 'all, identical', proven);
  const short = !pooled || verdict.writePauseMs < POOLED_PAUSE_MS;
  add('longest pause of writes', `${verdict.writePauseMs} ms`, pooled ? `< ${POOLED_PAUSE_MS} ms` : 'short', short);
  const none = !pooled || verdict.clientErrors === 0;
  add('errors that the application saw', verdict.clientErrors, pooled ? '0' : 'few', none);
  add('failed transactions', writes.failed, 'few', true);
  const refused = verdict.refusedCalls.length;
  add('calls beyond docs/iam-policy.json', verdict.refusedCalls.join(', ') || 'none', 'none', refused === 0);
  add('workflow history', `${verdict.historyEvents} events, ${verdict.historyBytes} bytes`, 'short', true);
  add('duration', `${verdict.durationSeconds} s`, 'short', true);
  if (abortedPause) {
    const { budgetMs, writePauseMs } = abortedPause;
    add('pause that was given up', `${writePauseMs} ms`, `<= ${budgetMs} ms + 1 s`, isBounded(abortedPause));
  }
  const proof = verdict.proof ? proofLine(verdict.proof) : 'none';
  const lines = [
    table.toString(),
    `the proof: ${proof}`,
    `the pause: ${stepsOf(verdict.pauseTimeline)}`,
    ...(verdict.rollbackTimeline ? [`the pause of the way back: ${stepsOf(verdict.rollbackTimeline)}`] : []),
    ...(abortedPause ? [`the pause that was given up: ${abortedPause.reason ?? 'the gate did not open again'}`] : []),
    ...explanations,
  ];
  return [...lines, verdict.passed ? 'PASSED' : 'FAILED'].join('\n');
}

function stepsOf(timeline: PauseTimeline): string {
  return timeline.map(({ step, ms }) => `${step} ${ms} ms`).join(', ') || 'no timeline';
}
