import { sleep } from '@temporalio/workflow';
import type { Activities } from '../../activities';
import type { SourceFacts } from '../../plan/checks';
import { costLine } from '../../plan/daily-cost';
import { type CutoverFacts, proofLine, seenText } from '../../plan/report';
import { stepOf } from '../../plan/progress';
import type { StepName } from '../../plan/steps';
import { act } from '../act';
import type { Migration } from '../migration';
import { prove, snapshotsOf } from './proof';
import { surprises } from './surprises';

/** So many kinds of sessions are named in a notice; the report has them all. */
const SHOWN_GONE = 5;

/**
 * What was stopped starts on the target; the proof as of the cutover, while applications write to the target; beside both, from the
 * beginning, a look at who is connected where; then the last lock, where the plan has it; then as long as the plan wants applications to live there before anything is removed. Comes again where a rollback was
 * rejected: what is done stays done.
 */
export async function soak(
  migration: Migration,
  { databases }: SourceFacts,
  facts: CutoverFacts,
  { switchedOff }: { readonly switchedOff: boolean },
): Promise<void> {
  const { holder, switchedAt, neighbours } = facts;
  const once = async (name: StepName, work: (note: (text: string) => void) => Promise<void>): Promise<void> => {
    if (stepOf(migration.progress, name).status !== 'done') await migration.step(name, work);
  };

  const watched = stepOf(migration.progress, 'watch').status === 'done' ? undefined : beginWatch(migration, switchedAt);

  await once('resume', async (note) => {
    if (!switchedOff && !neighbours) return note('nothing was switched off');
    const input = { ...migration.ref, databases, ...(neighbours ? { neighbours } : {}) };
    const { triggers, cronJobs, subscriptions, stays } = await act('resumeNeighbours', input);
    for (const text of stays) migration.notice(text);
    note(`${subscriptions.length} subscriptions, ${cronJobs} cron jobs, ${triggers} triggers of apply`);
  });

  await once('proof', async (note) => {
    const proof = await prove(migration, { ...migration.ref, databases, ...snapshotsOf(facts) }, holder);
    migration.report.proof = proof;
    for (const text of surprises(proof)) migration.notice(text);
    note(proofLine(proof, switchedAt));
  });

  await once('watch', async (note) => {
    const { onTarget, stragglers } = await (watched ?? beginWatch(migration, switchedAt))();
    note(`${onTarget} sessions on the target, ${stragglers.length} on the source`);
  });

  await migration.lastLock.close();

  const { minutes } = migration.plan.soak;
  const leftMs = Date.parse(switchedAt) + minutes * 60_000 - Date.now();
  if (minutes === 0) return migration.skip('soak', 'until the gate decommission');
  await once('soak', async (note) => {
    if (leftMs > 0) await sleep(leftMs, { summary: `soak: ${minutes} minutes after the switch` });
    note(`${minutes} minutes`);
  });
}

type TrafficSeen = Awaited<ReturnType<Activities['watchTraffic']>>;

/**
 * Begins to watch at once: who is still on the source matters now, and the proof takes as long as it takes. What was seen is told as soon
 * as it is known; a failure is that of the step, which watches anew when somebody says `retry`.
 */
function beginWatch(migration: Migration, switchedAt: string): () => Promise<TrafficSeen> {
  let first: Promise<TrafficSeen> | undefined = watch(migration, switchedAt);
  first.catch(() => undefined);
  return () => {
    const watching = first ?? watch(migration, switchedAt);
    first = undefined;
    return watching;
  };
}

async function watch(migration: Migration, switchedAt: string): Promise<TrafficSeen> {
  await migration.byHand.done();
  const seen = await act('watchTraffic', migration.ref);
  const { stragglers, removal, seenOnSource } = seen;
  if (removal) migration.report.removal = removal;
  if (seenOnSource) migration.report.seenOnSource = seenOnSource;
  showSoak(migration, switchedAt);
  for (const straggler of stragglers) migration.notice(`still connected to the old source: ${straggler}`);
  const gone = (seenOnSource ?? []).filter(({ left }) => !left);
  const more = gone.length > SHOWN_GONE ? `, and ${gone.length - SHOWN_GONE} kinds more` : '';
  if (gone.length > 0) {
    const who = gone.slice(0, SHOWN_GONE).map((one) => `${one.sessions} of ${seenText(one)}`);
    migration.notice(`seen on the old source after the switch, gone since: ${who.join(', ')}${more}`);
  }
  return seen;
}

function showSoak({ plan, progress, report }: Migration, switchedAt: string): void {
  const { minutes } = plan.soak;
  const notBefore = new Date(Date.parse(switchedAt) + minutes * 60_000).toISOString();
  const costs = (report.removal?.costs ?? []).map(costLine);
  progress.soak = { ...(minutes > 0 ? { notBefore } : {}), costs };
}
