import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import { lineText, redLines, windowText } from '../../plan/board';
import type { GoNoGo } from '../desk';
import { BY_PLAN, type Migration } from '../migration';

/** Who approved a green board inside the window, where the plan says `auto`. */
export const BY_PLAN_AUTO = 'plan/auto';

/** Whether the pause may begin by the clock. */
const mayBegin = ({ window }: GoNoGo): boolean => window?.open !== false;

/**
 * A board that is green, or whose red lines are waived, that whoever has to has approved, inside the window. The gate is closed while
 * something is red, and closes again when something turns red; approvals are for one opening. After the approval the board is
 * looked at once more, since the facts may have changed.
 * @param always a person is asked, whatever the plan says
 */
export async function approvedBoard(migration: Migration, always: boolean): Promise<GoNoGo> {
  const { desk, gates, plan } = migration;
  let board = await desk.look();
  for (;;) {
    const blocking = desk.blocking(board);
    if (blocking.length > 0) {
      gates.dropEarly('the board is red');
      board = await desk.blocked(board, blocking);
      continue;
    }
    if (!plan.gates.cutover.approval && !always) {
      if (mayBegin(board)) {
        migration.passBy('cutover', BY_PLAN, 'no approval needed');
        return board;
      }
      board = await untilWindow(migration, board);
      continue;
    }
    gates.open('cutover', findingsOf(board));
    try {
      const answer = await untilApproved(migration, board, always);
      if (answer.approved) return answer.board;
      board = answer.board;
    } finally {
      gates.close();
    }
  }
}

async function untilWindow({ desk, progress }: Migration, board: GoNoGo): Promise<GoNoGo> {
  progress.status = 'waiting';
  try {
    const summary = board.window ? windowText(board.window) : 'waiting for the window';
    return (await desk.watch(board, summary, { untilWindow: true })) ?? (await desk.look());
  } finally {
    if (progress.status === 'waiting') progress.status = 'running';
  }
}

/** The gate is open: until it is approved and the window is open, or something turns red. */
async function untilApproved(
  migration: Migration,
  first: GoNoGo,
  always: boolean,
): Promise<{ approved: boolean; board: GoNoGo }> {
  const { desk, gates, plan } = migration;
  const auto = plan.gates.cutover.auto && !always;
  let board = first;
  let announced = '';
  for (;;) {
    if (gates.decided) {
      board = await desk.look();
      const blocking = desk.blocking(board);
      if (blocking.length > 0) {
        migration.notice(`cutover not begun: ${blocking.map(lineText).join('; ')}`);
        return { approved: false, board };
      }
      if (gates.stillDecided()) {
        if (mayBegin(board)) {
          gates.keepForNextOpening();
          return { approved: true, board };
        }
        const opensAt = board.window?.opensAt ?? '';
        if (opensAt !== announced)
          migration.notice(`cutover approved; the pause begins when the window opens, at ${opensAt}`);
        announced = opensAt;
      }
    } else if (auto && mayBegin(board) && redLines(board.lines).length === 0) {
      migration.passBy('cutover', BY_PLAN_AUTO, 'green inside the window');
      return { approved: true, board };
    }
    gates.refresh(findingsOf(board));
    migration.show();
    const { decided, approvedBy } = gates;
    const answered = () => gates.decided !== decided || gates.approvedBy !== approvedBy;
    const next = await whileNoneExpires(migration, () =>
      desk.watch(board, 'waiting for approval: cutover', {
        untilWindow: decided !== undefined || (auto && redLines(board.lines).length === 0),
        wake: answered,
      }),
    );
    if (!next && answered()) continue;
    board = next ?? (await desk.look());
    const blocking = desk.blocking(board);
    if (blocking.length > 0) {
      migration.notice(`the gate cutover closes: ${blocking.map(lineText).join('; ')}`);
      return { approved: false, board };
    }
  }
}

/** While it waits, an approval that grows too old goes when it does, so that what is shown is what counts. */
async function whileNoneExpires<T>({ gates }: Migration, work: () => Promise<T>): Promise<T> {
  const { expiresInMs } = gates;
  if (expiresInMs === undefined) return work();
  const timer = new CancellationScope();
  const expired = timer
    .run(() => sleep(expiresInMs, { summary: 'an approval expires' }))
    .then(() => void gates.stillDecided())
    .catch((error: unknown) => {
      if (!isCancellation(error)) throw error;
    });
  try {
    return await work();
  } finally {
    timer.cancel();
    await expired;
  }
}

function findingsOf({ lines, window }: GoNoGo): string[] {
  return [
    ...redLines(lines).map((line) => `WAIVED: ${lineText(line)}`),
    ...(window ? [windowText(window)] : []),
    ...lines.filter(({ red }) => !red).map(({ text }) => text),
  ];
}
