import type { Report } from '../tools/report';

/** What the query `progress` answers, as far as the demo shows it. */
export interface Progress {
  readonly phase: string;
  readonly status: 'running' | 'waiting' | 'parked' | 'aborting' | 'aborted' | 'failed' | 'rolled-back' | 'completed';
  readonly steps: readonly {
    readonly name: string;
    readonly phase: string;
    readonly status: string;
    readonly startedAt?: string;
    readonly endedAt?: string;
    readonly note?: string;
  }[];
  readonly gate?: {
    readonly name: string;
    readonly openedAt: string;
    readonly findings: readonly string[];
    readonly command: string;
  };
  readonly parked?: { readonly step: string; readonly type: string; readonly message: string };
  readonly lag?: { readonly bytes: number; readonly trend: string };
  readonly notices?: readonly { readonly at: string; readonly text: string }[];
  readonly approvals?: readonly { readonly gate: string; readonly at: string; readonly decision?: string }[];
}

/** Prints a line whenever something changed since the last look. */
export class ProgressPrinter {
  private readonly begin = Date.now();
  private readonly seen = new Map<string, string>();
  private notices = 0;

  constructor(private readonly report: Report) {}

  line(text: string): void {
    const seconds = ((Date.now() - this.begin) / 1000).toFixed(1).padStart(6);
    this.report(`${seconds} s  ${text}`);
  }

  show(progress: Progress): void {
    for (const { name, phase, status, startedAt, endedAt, note } of progress.steps) {
      const text = `${status}${note ? `: ${note}` : ''}`;
      if ((this.seen.get(name) ?? 'pending') === text) continue;
      this.seen.set(name, text);
      const took =
        startedAt && endedAt ? ` (${((Date.parse(endedAt) - Date.parse(startedAt)) / 1000).toFixed(1)} s)` : '';
      this.line(`${phase.padEnd(8)} ${name.padEnd(16)} ${status}${took}${note ? `: ${note}` : ''}`);
    }
    for (const { text } of progress.notices?.slice(this.notices) ?? []) this.line(`notice: ${text}`);
    this.notices = progress.notices?.length ?? this.notices;
  }
}
