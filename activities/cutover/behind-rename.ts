import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import { finalFailure } from '../../plan/failures';
import { renames } from '../../plan/instance-names';
import type { CutoverFacts } from '../../plan/report';
import { awsOf, type Dependencies, instanceOf, type Side } from '../dependencies';
import { accessTo, endSession, openSession, type Session } from '../postgres/session';
import { presentNames, readNames } from '../rds/present-names';
import { isUnderWay, takeName } from '../rds/rename-instances';
import type { CutOverInput } from './cut-over-input';
import { readCutover, writeCutover } from './cutover-facts';

/** A new DNS name takes about ten minutes; what takes longer than this is said, and tried again. */
const UP_WITHIN_MS = 15 * 60_000;
const LOOK_AGAIN_MS = 500;
/** The step of the timeline that a later attempt adds. */
export const SWITCH = 'switch';

/**
 * After a renaming that an attempt before this one began: brings it to its end. Nothing is begun here, and nothing is finished that
 * no pause of this migration has recorded.
 * @returns the input with the names that the instances have now
 * @throws ApplicationFailure AlreadySwitched when somebody renamed the source by hand
 */
export async function finishRenaming(deps: Dependencies, given: CutOverInput): Promise<CutOverInput> {
  const input = await presentNames(deps, given);
  if (!renames(input.plan) || !(await isRenaming(deps, input))) return input;
  const recorded = await whenUp(deps, input, 'target', (target) => readCutover(target, input));
  if (!recorded) {
    const { source, target } = input.plan;
    throw finalFailure(
      'AlreadySwitched',
      `DB instance ${source.instance} was renamed, or is being renamed, but no pause of this migration is recorded on ${instanceOf(input, 'target')}: somebody did it by hand. Give ${source.instance} and ${target.instance} the names back that they had, then send retry.`,
    );
  }
  await takeName(deps, input, () => requireRecord(deps, input));
  await meetAgain(deps, input);
  return presentNames(deps, input);
}

/** A pause in the other direction takes the record away before it renames: whoever is late must not turn that back. */
export async function requireRecord(deps: Dependencies, input: CutOverInput): Promise<void> {
  if (await whenUp(deps, input, 'target', (target) => readCutover(target, input))) return;
  throw finalFailure(
    'AlreadySwitched',
    'The instances are being renamed in the other direction by now: this attempt is late, and leaves them alone.',
  );
}

/** Whether a renaming in the present direction has begun, or is over. */
export async function isRenaming(deps: Dependencies, input: CutOverInput): Promise<boolean> {
  return isUnderWay(input, await readNames(awsOf(deps, input), input));
}

/**
 * Reads back: who answers at the endpoint is the one that has the record of this pause, and no other. Adds to that record how long the
 * renaming took, for whoever takes over.
 */
export async function meetAgain(deps: Dependencies, input: CutOverInput): Promise<void> {
  await whenUp(deps, input, 'target', async (target) => {
    const facts = await readCutover(target, input);
    if (!facts) throw new Error('who answers at the endpoint has no record of this pause: it is not the target yet');
    if (renamingMs(facts) !== undefined) return;
    const ms = Date.now() - Date.parse(facts.switchedAt);
    const timeline = [...facts.timeline, { step: SWITCH, ms }];
    await writeCutover(target, input, { ...facts, timeline, pauseMs: facts.pauseMs + ms });
  });
}

/** How long the switch of a pause took, in milliseconds; undefined: it is not over. */
export const renamingMs = ({ timeline }: CutoverFacts): number | undefined =>
  timeline.find(({ step }) => step === SWITCH)?.ms;

/** What waiting does not fix. That an instance is nowhere is not among it: its name is on its way. */
const isFinal = (error: unknown): boolean =>
  error instanceof ApplicationFailure && error.nonRetryable === true && error.type !== 'ResourceGone';

/** Works in a session of a side that RDS may be rebooting, and whose name may be on its way: tries until it answers. */
export async function whenUp<T>(
  deps: Dependencies,
  input: CutOverInput,
  side: Side,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const [database] = input.databases;
  if (database === undefined) throw new Error('no database to cut over');
  for (const giveUpAt = Date.now() + UP_WITHIN_MS; ; await sleep(LOOK_AGAIN_MS)) {
    let session: Session | undefined;
    try {
      const access = await accessTo(deps, await presentNames(deps, input), side);
      session = await openSession(access, { step: 'switch', database });
      return await work(session);
    } catch (error) {
      if (Date.now() > giveUpAt || isFinal(error)) throw error;
    } finally {
      if (session) await endSession(session);
    }
  }
}
