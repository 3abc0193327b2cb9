import { setTimeout as sleep } from 'node:timers/promises';
import { renames } from '../../plan/instance-names';
import type { CutoverFacts } from '../../plan/report';
import { awsOf, type Dependencies, instanceOf } from '../dependencies';
import { accessTo, withSession } from '../postgres/session';
import { endpointOf, findInstance, requireInstance } from '../rds/find-instance';
import { isAnySwitched, isOpaque } from '../traffic/prepared-switches';
import type { CutOverInput } from './cut-over-input';
import { isRenaming } from './behind-rename';
import { readCutover } from './cutover-facts';

/** RDS is eventually consistent: for so long behind the record of a pause it may not show yet that it has taken a renaming. */
const SHOWS_WITHIN_MS = 15_000;
const LOOK_AGAIN_MS = 500;

/**
 * Whether traffic is on its way to the target: a switch names it, or, where the first switch can't be read or there is none, the
 * pause was recorded there. A target that is gone has no traffic.
 * @param input with the names that the instances have now
 */
export async function isCutOver(deps: Dependencies, input: CutOverInput): Promise<boolean> {
  if (renames(input.plan)) return isRenaming(deps, input);
  const aws = awsOf(deps, input);
  const target = await findInstance(aws, instanceOf(input, 'target'));
  const [database] = input.databases;
  if (!target?.Endpoint?.Address || database === undefined) return false;
  const { traffic } = input.plan.cutover;
  if (traffic.length > 0) {
    const source = await requireInstance(aws, instanceOf(input, 'source'));
    const place = { deps, ref: input, from: endpointOf(source), to: endpointOf(target) };
    if (await isAnySwitched(place)) return true;
  }
  if (!isOpaque(traffic)) return false;
  return (await recordOf(deps, input, database)) !== undefined;
}

/**
 * The same by somebody who does not know whether the call that decides was sent, and is going to let applications write where they did
 * unless it was: where the pause was recorded a moment ago, and RDS shows no renaming, it is asked until that moment is over.
 */
export async function isCutOverForSure(deps: Dependencies, input: CutOverInput): Promise<boolean> {
  if (!renames(input.plan)) return isCutOver(deps, input);
  const [database] = input.databases;
  let recordedAt: number | undefined;
  for (;;) {
    if (await isCutOver(deps, input)) return true;
    if (database === undefined) return false;
    recordedAt ??= await recordedAtOf(deps, input, database);
    if (Date.now() - recordedAt > SHOWS_WITHIN_MS) return false;
    await sleep(LOOK_AGAIN_MS);
  }
}

async function recordOf(deps: Dependencies, input: CutOverInput, database: string): Promise<CutoverFacts | undefined> {
  const access = await accessTo(deps, input, 'target');
  return withSession(access, { step: 'unfence', database, readOnly: true }, (session) => readCutover(session, input));
}

/** When the pause was recorded; 0: it was not, or the side that would have the record does not answer. */
async function recordedAtOf(deps: Dependencies, input: CutOverInput, database: string): Promise<number> {
  const facts = await recordOf(deps, input, database).catch(() => undefined);
  return facts ? Date.parse(facts.switchedAt) : 0;
}
