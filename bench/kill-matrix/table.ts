import type { Cell } from './cell';
import type { FaultName, Step } from './steps';
import { hasFault, SWITCH_FAULTS, type SwitchCell } from './switch-cell';

export const isGreen = ({ broken }: Pick<Cell, 'broken'>): boolean => broken.length === 0;

/** `went forward, 0.9 s`, or what was not kept. */
export function cellText(cell: Omit<Cell, 'step' | 'fault'>): string {
  if (!isGreen(cell)) return `**RED** ${cell.broken.join('; ')}`;
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  const away = cell.awayMs > 0 ? ` (${seconds(cell.awayMs)} of it away)` : '';
  const attempts = cell.attempts > 1 ? `, attempt ${cell.attempts}` : '';
  const errors = cell.clientErrors > 0 ? `, ${cell.clientErrors} client errors` : '';
  return `${cell.ended}${attempts}, ${seconds(cell.stoppedMs)}${away}${errors}`;
}

/** Rows are steps, columns are faults. */
export function markdownTable(steps: readonly Step[], faults: readonly FaultName[], cells: readonly Cell[]): string {
  const line = (...columns: string[]) => `| ${columns.join(' | ')} |`;
  return [
    line('step', ...faults),
    line('---', ...faults.map(() => '---')),
    ...steps.map(({ name }) =>
      line(
        name,
        ...faults.map((fault) => {
          const cell = cells.find((one) => one.step === name && one.fault === fault);
          return cell ? cellText(cell) : '';
        }),
      ),
    ),
  ].join('\n');
}

/** Rows are kinds of switches, columns are faults of their requests. */
export function switchTable(cells: readonly SwitchCell[]): string {
  const line = (...columns: string[]) => `| ${columns.join(' | ')} |`;
  const kinds = [...new Set(cells.map(({ kind }) => kind))];
  return [
    line('switch', ...SWITCH_FAULTS),
    line('---', ...SWITCH_FAULTS.map(() => '---')),
    ...kinds.map((kind) =>
      line(
        kind,
        ...SWITCH_FAULTS.map((fault) => {
          const cell = cells.find((one) => one.kind === kind && one.fault === fault);
          if (cell) return cellText({ ...cell, awayMs: 0 });
          return hasFault(kind, fault) ? '' : 'no request';
        }),
      ),
    ),
  ].join('\n');
}
