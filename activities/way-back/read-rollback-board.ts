import { fitTexts, redLines } from '../../plan/board';
import type { Lag } from '../../plan/progress';
import { awsOf, type Dependencies, instanceOf, type MigrationRef } from '../dependencies';
import { oneByOne } from '../each-database';
import { foreignAppliers } from '../cutover/appliers';
import { foreignSessions, planFence, type FencePlan, unendableOf } from '../cutover/fence';
import { lookAtFences } from '../cutover/fence-set';
import { lookAtPauseQueue, type PauseQueue } from '../cutover/look-at-pause-queue';
import { longTransactions, preparedTransactions } from '../cutover/open-transactions';
import { readLag } from '../follow/read-lag';
import { givenLines } from '../guard/give-identities';
import { accessTo, withSession } from '../postgres/session';
import { endpointOf, requireInstance } from '../rds/find-instance';
import { renames } from '../../plan/instance-names';
import { renamingMs } from '../cutover/behind-rename';
import { readCutover } from '../cutover/cutover-facts';
import { lookAtSwitches } from '../traffic/prepared-switches';
import { renamingTime } from '../traffic/rds-rename';
import { notReceiving } from './not-receiving';

/** What a rollback would do, and what speaks against it. */
export interface RollbackBoard {
  readonly lag: Lag;
  readonly fence: FencePlan;
  readonly others: readonly unknown[];
  /** Reasons not to go back now; empty: go. */
  readonly red: readonly string[];
  readonly findings: readonly string[];
}

/**
 * Looks at everything that the way back depends on: source and target have changed their parts. Changes nothing.
 * @throws ApplicationFailure SlotLost when a slot of the way back is lost: then there is none
 */
export async function readRollbackBoard(
  deps: Dependencies,
  ref: MigrationRef & PauseQueue & { databases: readonly string[] },
): Promise<RollbackBoard> {
  const input = { ...ref, direction: 'back' } as const;
  const { maxLagBytes, spareRoles } = input.plan.cutover;
  const red: string[] = [];
  const lag = await readLag(deps, input);
  if (lag.bytes > maxLagBytes) {
    red.push(`the old source is ${lag.bytes} bytes behind, the plan allows ${maxLagBytes}`);
  }
  red.push(...(await notReceiving(deps, input)));
  const access = await accessTo(deps, input, 'source');
  const options = { step: 'rollback', database: 'postgres', readOnly: true };
  const { fence, sessions, open } = await withSession(access, options, async (session) => ({
    fence: await planFence(session, input.id, access.credentials.username, input.databases, spareRoles),
    sessions: await foreignSessions(session, { migration: input.id, roles: spareRoles }),
    open: [
      ...(await longTransactions(session, input.id)),
      ...(await preparedTransactions(session)),
      ...(input.plan.carry.subscriptions === 'move' ? [] : await foreignAppliers(session, input)),
    ],
  }));
  const pauseQueue = await lookAtPauseQueue(deps, ref);
  red.push(...open, ...redLines(pauseQueue).map(({ text }) => text));
  if (fence.unlockable.length > 0) red.push(`the fence can't take LOGIN from ${fence.unlockable.join(', ')}`);
  red.push(...unendableOf(sessions));
  const aws = awsOf(deps, input);
  const [from, to] = [
    endpointOf(await requireInstance(aws, instanceOf(input, 'source'))),
    endpointOf(await requireInstance(aws, instanceOf(input, 'target'))),
  ];
  const switches = await lookAtSwitches({ deps, ref: input, from, to });
  const fences = await lookAtFences(deps, input);
  red.push(...switches.flatMap((one) => one.red), ...fences.red);
  const byHand = `the plan names no traffic switch: point your applications at ${to.address}:${to.port} yourself after the pause`;
  return {
    lag,
    fence,
    others: fences.others,
    red: fitTexts(red),
    findings: fitTexts([
      `applications go back to ${instanceOf(input, 'target')}; ${instanceOf(input, 'source')} is fenced`,
      `roles that lose LOGIN on ${instanceOf(input, 'source')}: ${fence.roles.join(', ') || 'none'}`,
      `sessions that will be ended: ${sessions.length}`,
      ...fences.findings,
      ...(renames(input.plan) ? [renamingTime(input, await earlierRenaming(deps, ref))] : []),
      ...(switches.length === 0 ? [byHand] : switches.flatMap((one) => one.findings)),
      ...(await givenLines(deps, input, 'rollback', oneByOne)),
    ]),
  };
}

/** How long the renaming of the cutover took, in milliseconds, as it is noted on the target. */
async function earlierRenaming(
  deps: Dependencies,
  ref: MigrationRef & { databases: readonly string[] },
): Promise<number | undefined> {
  const [database] = ref.databases;
  if (database === undefined) return undefined;
  const access = await accessTo(deps, ref, 'target');
  const options = { step: 'rollback', database, readOnly: true };
  const facts = await withSession(access, options, (session) => readCutover(session, ref));
  return facts && renamingMs(facts);
}
