import { setTimeout as sleep } from 'node:timers/promises';
import type { DBInstance } from '@aws-sdk/client-rds';
import { renames } from '../../plan/instance-names';
import type { CutoverFacts } from '../../plan/report';
import { awsOf, type Dependencies, instanceOf, sideInPlan } from '../dependencies';
import { accessTo, type Session, withSession } from '../postgres/session';
import { endpointOf, findInstance, requireInstance } from '../rds/find-instance';
import { isOurTarget, isTheSource } from '../rds/ownership';
import { decidedWithinMs, isAnySwitched, isOpaque } from '../traffic/prepared-switches';
import type { CutOverInput } from './cut-over-input';
import { isRenaming } from './behind-rename';
import { readCutover } from './cutover-facts';
import { type PresentPause, presentPause } from './pause-mark';

const LOOK_AGAIN_MS = 500;

/**
 * Whether traffic is on its way to the target: a switch names it, or, where the first switch can't be read or there is none, the
 * pause was recorded there. A target that is gone has no traffic, unless its place was taken: a switch that names neither side any more is no
 * answer. What does not show yet is not found: `isCutOverForSure`.
 * @param input with the names that the instances have now
 * @param pause that is under way on the source, where the caller knows
 * @throws ApplicationFailure SWITCH_UNCONFIRMED, to be tried again, when the switch has begun and nobody knows what came of it
 */
export async function isCutOver(deps: Dependencies, input: CutOverInput, pause?: PresentPause): Promise<boolean> {
  if (renames(input.plan)) return isRenaming(deps, input);
  const aws = awsOf(deps, input);
  const target = await findInstance(aws, instanceOf(input, 'target'));
  const [database] = input.databases;
  if (database === undefined) return false;
  const isThere = target?.Endpoint?.Address !== undefined && isRight(target, input);
  const { traffic } = input.plan.cutover;
  const isBegun = pause?.switchBegunMs !== undefined;
  if (traffic.length > 0 && (isThere || isBegun)) {
    const source = await requireInstance(aws, instanceOf(input, 'source'));
    const place = { deps, ref: input, from: endpointOf(source), ...(isThere ? { to: endpointOf(target) } : {}) };
    if (await isAnySwitched(place, isBegun)) return true;
  }
  if (!isOpaque(traffic) || !isThere) return false;
  return (await recordOf(deps, input, database)) !== undefined;
}

const isRight = (target: DBInstance, input: CutOverInput): boolean =>
  sideInPlan(input, 'target') === 'target' ? isOurTarget(target, input) : isTheSource(target, input);

/**
 * How long ago the last request of this pause may have been sent that switches traffic, in milliseconds: an attempt goes on sending until the
 * budget is over, and one that begins after that sends once. Undefined: none was.
 */
export function lastSentMs({ plan }: CutOverInput, pause: PresentPause | undefined): number | undefined {
  if (pause?.switchBegunMs === undefined) return undefined;
  return Math.max(0, Math.min(pause.switchBegunMs, pause.ms - plan.cutover.pauseBudgetMs));
}

/** Whether a request of this pause may still take effect that switches traffic, as far as the source knows. */
export function mayStillSwitch(input: CutOverInput, pause: PresentPause | undefined): boolean {
  const { traffic } = input.plan.cutover;
  const sentMs = lastSentMs(input, pause);
  return sentMs !== undefined && !isOpaque(traffic) && sentMs <= decidedWithinMs(traffic);
}

/**
 * The same for somebody who is going to let applications write on the source again unless traffic has moved. An attempt that began with the
 * switch may have sent a request that nobody sees yet: the store is asked until that can't be any more.
 * @param source a session on the source that the caller has; absent: one is opened
 */
export async function isCutOverForSure(deps: Dependencies, input: CutOverInput, source?: Session): Promise<boolean> {
  const [database] = input.databases;
  if (!source && database !== undefined && !(renames(input.plan) && (await isRenaming(deps, input)))) {
    const access = await accessTo(deps, input, 'source');
    return withSession(access, { step: 'unfence', database }, (opened) => isCutOverForSure(deps, input, opened));
  }
  for (;;) {
    // Asked before the store is: what the store says after that moment is the last word.
    const pause = source && (await presentPause(source, input));
    const isOpen = await isOpenYet(deps, input, pause);
    if (await isCutOver(deps, input, pause)) return true;
    if (!isOpen) return false;
    await sleep(LOOK_AGAIN_MS);
  }
}

async function isOpenYet(deps: Dependencies, input: CutOverInput, pause: PresentPause | undefined): Promise<boolean> {
  const [database] = input.databases;
  if (database === undefined || !mayStillSwitch(input, pause)) return false;
  // An attempt that gives up takes its record away first, and does so only if it has sent nothing.
  const record = await recordOf(deps, input, database).catch(() => 'not known' as const);
  return record !== undefined;
}

async function recordOf(deps: Dependencies, input: CutOverInput, database: string): Promise<CutoverFacts | undefined> {
  const access = await accessTo(deps, input, 'target');
  return withSession(access, { step: 'unfence', database, readOnly: true }, (session) => readCutover(session, input));
}
