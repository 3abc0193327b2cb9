import Table from 'cli-table3';
import { type Board, lineText, windowText } from '../plan/board';
import type { Check } from '../plan/checks';
import { waiverFor } from '../plan/judge-checks';
import { bytes, duration } from '../plan/format';
import { type Progress, retryingText, soakLines } from '../plan/progress';

const SIGNS = { pending: ' ', running: '>', done: '+', skipped: '-', failed: '!' } as const;
const LEVELS = { ok: 'ok   ', warn: 'WARN ', block: 'BLOCK' } as const;

/** A table without lines, as the tools of this field print them. */
function plainTable(head: string[], rows: string[][]): string {
  const table = new Table({
    head,
    chars: Object.fromEntries(
      [
        'top',
        'top-mid',
        'top-left',
        'top-right',
        'bottom',
        'bottom-mid',
        'bottom-left',
        'bottom-right',
        'left',
        'left-mid',
        'mid',
        'mid-mid',
        'right',
        'right-mid',
        'middle',
      ].map((name) => [name, name === 'middle' ? '  ' : '']),
    ),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  table.push(...rows);
  return table.toString();
}

export function renderChecks(checks: readonly Check[]): string {
  return checks
    .map((check) => `${LEVELS[check.level]} ${check.code}: ${[check.message, ...adviceFor(check)].join('\n        ')}`)
    .join('\n');
}

const adviceFor = (check: Check): string[] =>
  check.level === 'ok'
    ? []
    : [...(check.remedy?.split('\n') ?? []), waiverFor(check)].filter((line) => line !== undefined);

/** The board with its age; what nobody can waive is marked. */
export function renderBoard(
  { at, lines, window }: Board,
  { blocked, retrying = [] }: Pick<Progress, 'blocked' | 'retrying'> = {},
): string {
  const shown = lines.map((line) => `${line.red ? (line.final ? 'RED!' : 'RED ') : 'ok  '} ${lineText(line)}`);
  const age = duration(Math.max(0, Date.now() - Date.parse(at)));
  const howTo = blocked?.command ? [`waive a line that is RED, but not RED!, with:\n${blocked.command}`] : [];
  const failing = retrying.map((one) => `!    ${retryingText(one)}`);
  return [`board, looked at ${age} ago`, ...(window ? [windowText(window)] : []), ...shown, ...failing, ...howTo].join(
    '\n',
  );
}

/** A migration as `status` and `watch` show it. `live` is what its running activities said last. */
export function renderProgress(progress: Progress, live: readonly string[]): string {
  const rows = progress.steps.map(({ name, phase, status, startedAt, endedAt, note }) => [
    SIGNS[status],
    phase,
    name,
    startedAt ? duration((endedAt ? Date.parse(endedAt) : Date.now()) - Date.parse(startedAt)) : '',
    note ?? '',
  ]);
  const parts = [`${progress.migration}: ${progress.status}`, plainTable(['', 'phase', 'step', 'took', ''], rows)];
  if (progress.lag) parts.push(`lag ${bytes(progress.lag.bytes)}, ${progress.lag.trend}, at ${progress.lag.at}`);
  const soak = soakLines(progress);
  if (soak.length > 0) parts.push(soak.join('\n'));
  if (live.length > 0) parts.push(live.map((line) => `now: ${line}`).join('\n'));
  if (progress.parked) {
    parts.push(`PARKED at ${progress.parked.step}: ${progress.parked.type}\n${progress.parked.message}`);
    parts.push(
      `fix it, then: keyshift retry ${progress.migration} --by <you>   (or: keyshift abort ${progress.migration} --reason <why>)`,
    );
  }
  if (progress.blocked) {
    const { lines, command } = progress.blocked;
    parts.push(`THE GATE cutover IS CLOSED\n${lines.map((line) => `  - ${lineText(line)}`).join('\n')}`);
    parts.push(
      command
        ? `fix it, or waive it with:\n${command}`
        : `nobody can waive this: fix it; it is looked at again, at once with: keyshift retry ${progress.migration}`,
    );
  }
  if (progress.switching) {
    parts.push(
      `MOVE THE TRAFFIC to ${progress.switching.to}, then: keyshift switched ${progress.migration} --by <you>`,
    );
  }
  if (progress.gate) {
    const { name, findings, approvals } = progress.gate;
    const who = approvals
      ? [`  approved by ${approvals.by.join(', ') || 'nobody yet'}; ${approvals.needed} needed`]
      : [];
    parts.push([`WAITING FOR APPROVAL: ${name}`, ...who, ...findings.map((one) => `  - ${one}`)].join('\n'));
    parts.push(`approve with:\n${progress.gate.command}`);
  }
  if (progress.undone.length > 0) {
    parts.push(
      `undone:\n${progress.undone.map(({ name, ok, message }) => `  ${ok ? '+' : '!'} ${name}${message ? `: ${message}` : ''}`).join('\n')}`,
    );
  }
  if (progress.notices.length > 0) {
    parts.push(
      `notices:\n${progress.notices
        .slice(-10)
        .map(({ at, text }) => `  ${at} ${text}`)
        .join('\n')}`,
    );
  }
  return parts.join('\n\n');
}
