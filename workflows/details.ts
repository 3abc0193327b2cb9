import { lineText } from '../plan/board';
import { fitProgress, jsonBytes } from '../plan/fit-report';
import { bytes, duration } from '../plan/format';
import { GATES } from '../plan/gates';
import { plainMarkdown } from '../plan/printable';
import { type Progress, retryingText, soakLines, type StepProgress } from '../plan/progress';
import { STEPS } from '../plan/steps';

/** The Web UI puts the cells of a table side by side without a gap. */
const GAP = '\u00a0\u00a0';

const SIGNS = { pending: '·', running: '▶', done: '✔', skipped: '–', failed: '✖' } as const;

function took({ startedAt, endedAt }: StepProgress): string {
  return startedAt && endedAt ? duration(Date.parse(endedAt) - Date.parse(startedAt)) : '';
}

/** Nobody reads more in a column of the Web UI, and the whole is one answer of a query. */
export const MAX_DETAILS_BYTES = 50_000;

/** What the Web UI shows under "User Metadata": Markdown in a column of about 50 characters. Long lists and texts are cut. */
export function renderDetails(progress: Progress): string {
  const whole = render(progress);
  if (jsonBytes(whole) <= MAX_DETAILS_BYTES) return whole;
  const cut = render(fitProgress(progress, MAX_DETAILS_BYTES / 2));
  // A character takes three bytes at most in UTF-8, two where it is half of a pair.
  return jsonBytes(cut) <= MAX_DETAILS_BYTES ? cut : `${cut.slice(0, MAX_DETAILS_BYTES / 4)}...`;
}

function render(progress: Progress): string {
  return [
    `## ${progress.migration}: ${progress.status}`,
    ...waitingFor(progress),
    ...(progress.retrying ?? []).map((one) => `**Tried again** ${plainMarkdown(retryingText(one))}`),
    ...lagLines(progress),
    ...soakLines(progress),
    [
      '| | phase | step | took |',
      '|---|---|---|---|',
      ...progress.steps.map(
        (step) => `| ${SIGNS[step.status]}${GAP} | ${step.phase}${GAP} | ${step.name}${GAP} | ${took(step)} |`,
      ),
    ].join('\n'),
    ...notes(progress),
    ...(progress.undone.length > 0
      ? [
          `### Undone\n${progress.undone.map(({ name, ok, message }) => `- ${ok ? '✔' : '✖'} ${name}${message ? `: ${plainMarkdown(message)}` : ''}`).join('\n')}`,
        ]
      : []),
    ...(progress.notices.length > 0
      ? [
          `### Notices\n${progress.notices
            .slice(-8)
            .map(({ at, text }) => `- ${at.slice(11, 19)} ${plainMarkdown(text)}`)
            .join('\n')}`,
        ]
      : []),
  ].join('\n\n');
}

function lagLines({ lag }: Progress): string[] {
  if (!lag) return [];
  const gone = lag.goneInMs === undefined ? '' : `, gone in ${duration(lag.goneInMs)}`;
  const lines = [`**Lag** ${bytes(lag.bytes)}, ${lag.trend}${gone} (${lag.at.slice(0, 19)}Z)`];
  const { source } = lag;
  if (!source) return lines;
  const free =
    source.freeStorageBytes === undefined
      ? ''
      : `, ${bytes(source.freeStorageBytes)} of storage free (${(source.freeStoragePercent ?? 0).toFixed(0)} %)`;
  const full = source.storageFullInMs === undefined ? '' : `, full in ${duration(source.storageFullInMs)}`;
  return [...lines, `**Source** keeps ${bytes(source.retainedBytes)} of WAL for us${free}${full}`];
}

function waitingFor({ gate, parked, blocked, switching, steps, migration }: Progress): string[] {
  if (parked) {
    return [
      `**Parked** at step \`${parked.step}\`: ${parked.type}`,
      plainMarkdown(parked.message),
      `Fix it, then:\n\n\`\`\`\n${updateCommand(migration, 'retry', '{"by":"<you>"}')}\n\`\`\`\n\nor give up with \`abort\` in place of \`retry\`.`,
    ];
  }
  if (blocked) {
    const howTo = blocked.command
      ? [`Fix it, or waive it:\n\n\`\`\`\n${blocked.command}\n\`\`\``]
      : ['Fix it: nobody can waive it.'];
    return [
      '**The gate cutover is closed**',
      blocked.lines.map((line) => `- ${plainMarkdown(lineText(line))}`).join('\n'),
      ...howTo,
    ];
  }
  if (switching) {
    return [`**Move the traffic** to ${plainMarkdown(switching.to)}, then:`, `\`\`\`\n${switching.command}\n\`\`\``];
  }
  if (gate) {
    const { approvals } = gate;
    return [
      `**Waiting for approval: ${gate.name}**`,
      ...(approvals
        ? [`Approved by ${plainMarkdown(approvals.by.join(', ')) || 'nobody yet'}; ${approvals.needed} needed.`]
        : []),
      gate.findings.map((finding) => `- ${plainMarkdown(finding)}`).join('\n'),
      `\`\`\`\n${gate.command}\n\`\`\``,
    ];
  }
  const running = steps.filter(({ status }) => status === 'running');
  return running.map(({ name }) => `**Now** ${name}: ${STEPS[name].title}`);
}

function notes({ steps }: Progress): string[] {
  const noted = steps.filter(({ note }) => note);
  return noted.length > 0
    ? [`### Found\n${noted.map(({ name, note }) => `- ${name}: ${plainMarkdown(note ?? '')}`).join('\n')}`]
    : [];
}

/**
 * An update as a person types it, broken over lines so that it fits the column of the Web UI. Not the signal of its name: an update
 * answers, and goes through when so many signals have come that Temporal refuses more.
 */
export function updateCommand(migration: string, name: string, input: string): string {
  return [
    `temporal workflow update execute \\`,
    `  --workflow-id ${migration} \\`,
    `  --name ${name} \\`,
    `  --input '${input}'`,
  ].join('\n');
}

export const isGate = (name: unknown): boolean => (GATES as readonly unknown[]).includes(name);
