import { awsOf, type Dependencies, instanceOf } from '../dependencies';
import { accessTo, withSession } from '../postgres/session';
import { endpointOf, findInstance, requireInstance } from '../rds/find-instance';
import { isAnySwitched, isOpaque } from '../traffic/prepared-switches';
import type { CutOverInput } from './cut-over-input';
import { readCutover } from './cutover-facts';

/**
 * Whether traffic is on its way to the target: a switch names it, or, where the first switch can't be read or there is none, the
 * pause was recorded there. A target that is gone has no traffic.
 */
export async function isCutOver(deps: Dependencies, input: CutOverInput): Promise<boolean> {
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
  const access = await accessTo(deps, input, 'target');
  const recorded = await withSession(access, { step: 'unfence', database, readOnly: true }, (session) =>
    readCutover(session, input),
  );
  return recorded !== undefined;
}
