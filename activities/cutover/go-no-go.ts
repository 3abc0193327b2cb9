import { judgeChecks } from '../../plan/judge-checks';
import type { Lag } from '../../plan/progress';
import { type Dependencies, type MigrationRef, instanceOf } from '../dependencies';
import { refuseDrift } from '../drift/find-drift';
import { takeNewTablesAlong } from '../drift/take-new-tables-along';
import { readLag } from '../follow/read-lag';
import { readCarryBoard } from '../carry/board';
import { accessTo, withSession } from '../postgres/session';
import { endpointOf, requireInstance } from '../rds/find-instance';
import { awsOf } from '../dependencies';
import { lookAtSwitches } from '../traffic/prepared-switches';
import { lookAtReplicas } from '../replicas/look-at-replicas';
import { lookAtSettings } from './look-at-settings';
import { longTransactions, preparedTransactions } from './open-transactions';
import { recheck } from '../preflight/recheck';
import { lookAtFences } from './fence-set';
import { type FencePlan, type ForeignSession, foreignSessions, planFence } from './fence';

export interface GoNoGoInput extends MigrationRef {
  readonly databases: readonly string[];
}

/** The board before the cutover: what would happen, and what speaks against it. */
export interface GoNoGo {
  readonly lag: Lag;
  readonly fence: FencePlan;
  /** How it is without the other fences of the plan. */
  readonly others?: readonly unknown[];
  /** Reasons not to cut over now; empty: go. */
  readonly red: readonly string[];
  /** What the approver should know. */
  readonly findings: readonly string[];
}

/**
 * Looks at everything that the pause depends on. Changes nothing, but that tables which came to both sides since get their rows.
 * @throws ApplicationFailure SchemaDrifted when the target is not like the source
 */
export async function readGoNoGo(deps: Dependencies, input: GoNoGoInput): Promise<GoNoGo> {
  const red: string[] = [];
  const findings: string[] = [];
  await refuseDrift(deps, input);
  const taken = await takeNewTablesAlong(deps, input);
  if (taken.length > 0) findings.push(`new since the snapshot, copied by the subscription: ${taken.join(', ')}`);
  const access = await accessTo(deps, input, 'source');
  const lag = await readLag(deps, input);
  if (lag.bytes > input.plan.cutover.maxLagBytes) {
    red.push(`lag is ${lag.bytes} bytes, the plan allows ${input.plan.cutover.maxLagBytes}`);
  }
  const options = { step: 'go-no-go', database: 'postgres', readOnly: true };
  const { fence, sessions, long } = await withSession(access, options, async (session) => ({
    fence: await planFence(
      session,
      input.id,
      access.credentials.username,
      input.databases,
      input.plan.cutover.spareRoles,
    ),
    sessions: await foreignSessions(session, input.id, input.plan.cutover.spareRoles),
    long: [...(await longTransactions(session)), ...(await preparedTransactions(session))],
  }));
  red.push(...long);
  if (fence.unlockable.length > 0) red.push(`the fence can't take LOGIN from ${fence.unlockable.join(', ')}`);
  const settings = await lookAtSettings(deps, input);
  red.push(...settings.red);
  findings.push(...settings.findings);
  const replicas = await lookAtReplicas(deps, input);
  red.push(...replicas.red);
  findings.push(...replicas.findings);
  const { stops } = judgeChecks(await recheck(deps, input, input.databases), input.plan);
  red.push(...stops.map(({ code, message }) => `${code}: ${message}`));
  findings.push(`roles that lose LOGIN on the source: ${fence.roles.join(', ') || 'none'}`);
  findings.push(`sessions that will be ended: ${sessions.length}`);
  findings.push(...mastersOf(sessions, access.credentials.username));
  const carried = await readCarryBoard(deps, input);
  red.push(...carried.red);
  findings.push(...carried.findings);
  const traffic = await checkTraffic(deps, input);
  red.push(...traffic.red);
  findings.push(...traffic.findings);
  findings.push(...(await storageOfTarget(deps, input)));
  const fences = await lookAtFences(deps, input);
  red.push(...fences.red);
  findings.push(...fences.findings);
  return { lag, fence, others: fences.others, red, findings };
}

/** RDS says itself how far a restored volume is loaded, where it does; nothing to wait for, but slow reads come from it. */
async function storageOfTarget(deps: Dependencies, input: GoNoGoInput): Promise<string[]> {
  const found = await requireInstance(awsOf(deps, input), instanceOf(input, 'target'));
  if (found.StorageOperationStatus === undefined) return [];
  return [
    `storage of the target: ${found.StorageOperationStatus}, ${found.StorageOperationPercentProgress ?? 0} % done; blocks that nobody has read yet are slow`,
  ];
}

function mastersOf(sessions: readonly ForeignSession[], masterUser: string): string[] {
  const found = sessions.filter(({ user }) => user === masterUser);
  if (found.length === 0) return [];
  const who = found
    .map(({ application, client }) => `${application || 'unnamed'} from ${client ?? 'local'}`)
    .join(', ');
  return [
    `the fence can't lock out the master user ${masterUser}; its sessions are ended, and the pause is given up if they come back: ${who}`,
  ];
}

async function checkTraffic(deps: Dependencies, input: GoNoGoInput): Promise<{ red: string[]; findings: string[] }> {
  const aws = awsOf(deps, input);
  const [from, to] = [
    endpointOf(await requireInstance(aws, instanceOf(input, 'source'))),
    endpointOf(await requireInstance(aws, instanceOf(input, 'target'))),
  ];
  const looks = await lookAtSwitches({ deps, ref: input, from, to });
  const byHand = `the plan names no traffic switch: point your applications at ${to.address}:${to.port} yourself after the pause`;
  return {
    red: looks.flatMap(({ red }) => red),
    findings: looks.length === 0 ? [byHand] : looks.flatMap(({ findings }) => findings),
  };
}
