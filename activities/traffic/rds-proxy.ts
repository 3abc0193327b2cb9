import { setTimeout as sleep } from 'node:timers/promises';
import { type DBProxy, type DBProxyTarget, DescribeDBProxiesCommand } from '@aws-sdk/client-rds';
import { ApplicationFailure } from '@temporalio/common';
import { finalFailure } from '../../plan/failures';
import type { TrafficSwitch } from '../../plan/plan';
import { isAwsError } from '../classify-error';
import { type Aws, awsOf, instanceOf, type MigrationRef } from '../dependencies';
import { requireInstance } from '../rds/find-instance';
import { deregisterTarget, hasTarget, notRegistrable, proxyTargets, registerTarget } from '../rds/proxy-targets';
import { decide, type DecisiveWrite } from './decide';
import { fateOf, once, SIGNED_REQUEST_LIVES_MS } from '../one-request';
import {
  type Deciding,
  type PointsAt,
  SWITCH_UNCONFIRMED,
  type SwitchKind,
  type SwitchLook,
  type SwitchPlace,
} from './traffic-switch';

type Entry = Extract<TrafficSwitch, { type: 'rds-proxy' }>;

/** Reads of RDS may be behind its writes: AWS calls its API eventually consistent, and means seconds. */
const SHOWS_WITHIN_MS = 15_000;
/** A new target is looked at by RDS until it is AVAILABLE. */
const AVAILABLE_MS = 300_000;
const LOOK_AGAIN_MS = 250;

/**
 * The target group of an RDS Proxy: its endpoint stays, and the instance behind it is another. Clients that are idle in a transaction
 * lose it, the others wait.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RegisterDBProxyTargets.html
 */
export const rdsProxy: SwitchKind<Entry> = {
  opaque: false,
  decidedWithinMs: SIGNED_REQUEST_LIVES_MS + SHOWS_WITHIN_MS,
  look,
  async prepare({ deps, ref }, entry) {
    const aws = awsOf(deps, ref);
    const [from, to] = [instanceOf(ref, 'source'), instanceOf(ref, 'target')];
    const targets = await proxyTargets(aws, entry.proxy);
    const pointsAt = pointsAtOf(ref, entry, targets);
    const stranger = targets.find(({ RdsResourceId }) => RdsResourceId !== from && RdsResourceId !== to);
    if (stranger) {
      throw finalFailure(
        'TrafficRefused',
        `RDS Proxy ${entry.proxy} stands before ${stranger.RdsResourceId ?? 'something else'}, not before ${from}: somebody changed it. Register ${from} again, then send retry.`,
      );
    }
    return {
      what: whatIs(entry),
      from,
      to,
      done: pointsAt === 'to',
      apply: (deciding) => move(aws, ref, entry, deciding),
    };
  },
};

const whatIs = ({ proxy }: Entry): string => `RDS Proxy ${proxy}`;

/**
 * Where no fence takes targets out of the group, an empty one is a switch that was interrupted half-way: it goes on, since the
 * deregistration is what decides.
 */
function pointsAtOf(ref: MigrationRef, entry: Entry, targets: readonly DBProxyTarget[]): PointsAt {
  if (hasTarget(targets, instanceOf(ref, 'target'))) return 'to';
  if (hasTarget(targets, instanceOf(ref, 'source'))) return 'from';
  if (targets.length > 0) return 'neither';
  return isFenced(ref, entry) ? 'held' : 'to';
}

/** Whether a fence takes the source out of the group. */
const isFenced = ({ plan }: MigrationRef, { proxy }: Entry): boolean =>
  plan.cutover.fence.some((one) => one.type === 'rds-proxy' && one.proxy === proxy);

async function look({ deps, ref, to }: SwitchPlace, entry: Entry): Promise<SwitchLook> {
  const what = whatIs(entry);
  const aws = awsOf(deps, ref);
  let proxy: DBProxy | undefined;
  try {
    const { DBProxies } = await aws.rds.send(new DescribeDBProxiesCommand({ DBProxyName: entry.proxy }));
    proxy = DBProxies?.[0];
  } catch (error) {
    if (!isAwsError(error, 'DBProxyNotFoundFault', 'DBProxyNotFound')) throw error;
  }
  if (!proxy) {
    const message = `There is no RDS Proxy ${entry.proxy} in region ${aws.region}: correct cutover.traffic.`;
    return { what, pointsAt: 'neither', findings: [], red: [message] };
  }
  const from = instanceOf(ref, 'source');
  const pointsAt = pointsAtOf(ref, entry, await proxyTargets(aws, entry.proxy));
  const red = pointsAt === 'from' ? [] : [`${what} does not stand before ${from}: register it, or correct the switch.`];
  const findings = [`${what}: ${to ? `${from} becomes ${instanceOf(ref, 'target')}` : `stands before ${from}`}`];
  if (to) {
    const { secret, logins } = await lookAtLogins(aws, ref, proxy);
    const unfit = await notRegistrable(aws, instanceOf(ref, 'target'));
    red.push(...secret, ...(unfit === undefined ? [] : [`${what}: ${unfit}: wait for it.`]));
    findings.push(...logins);
  }
  return { what, pointsAt, findings, red };
}

/** With what the proxy logs in: roles and passwords of the target are those of the source, but where RDS keeps the master user's. */
async function lookAtLogins(
  aws: Aws,
  ref: MigrationRef,
  { Auth = [], DBProxyName }: DBProxy,
): Promise<{ secret: string[]; logins: string[] }> {
  const secrets = Auth.flatMap(({ SecretArn }) => SecretArn ?? []);
  const managedOf = async (side: 'source' | 'target') =>
    (await requireInstance(aws, instanceOf(ref, side))).MasterUserSecret?.SecretArn;
  const [there, here] = await Promise.all([managedOf('source'), managedOf('target')]);
  const logins = [`RDS Proxy ${DBProxyName} logs in with ${secrets.join(', ') || 'no secret'}, on both sides`];
  if (there === undefined || here === there || !secrets.includes(there)) return { secret: [], logins };
  if (here !== undefined && secrets.includes(here)) return { secret: [], logins };
  const message = `RDS Proxy ${DBProxyName} logs in with ${there}, which RDS keeps for ${instanceOf(ref, 'source')} alone: give it ${here ?? 'a secret'} of ${instanceOf(ref, 'target')}, too (modify-db-proxy --auth).`;
  return { secret: [message], logins };
}

/**
 * Two calls. The one that takes the source out of the group decides, as the proxy leads nobody there any more; where the fence has done
 * that, the one that puts the target in. That one can be refused for the state of the target, so the source is not taken out before the
 * target can be put in.
 */
async function move(aws: Aws, ref: MigrationRef, entry: Entry, deciding: Deciding = {}): Promise<void> {
  const { proxy } = entry;
  const [from, to] = [instanceOf(ref, 'source'), instanceOf(ref, 'target')];
  const call = (write: () => Promise<unknown>): DecisiveWrite => ({
    what: whatIs(entry),
    decidedWithinMs: rdsProxy.decidedWithinMs,
    write,
    fateOf,
    look: async () => pointsAtOf(ref, entry, await proxyTargets(aws, proxy)),
  });
  const fenced = isFenced(ref, entry);
  if (!fenced)
    await decide(
      call(async () => {
        const unfit = await notRegistrable(aws, to);
        if (unfit !== undefined) throw new Error(unfit);
        return deregisterTarget(aws, proxy, from, once);
      }),
      deciding,
    );
  try {
    await decide(
      call(() => registerTarget(aws, proxy, to, once)),
      fenced ? deciding : {},
    );
  } catch (error) {
    if (fenced) throw error;
    const message = `${whatIs(entry)} has ${from} no more, but does not take ${to} yet: ${(error as Error).message}`;
    throw ApplicationFailure.retryable(message, SWITCH_UNCONFIRMED);
  }
  await untilAvailable(aws, entry, to);
}

async function untilAvailable(aws: Aws, entry: Entry, to: string): Promise<void> {
  const giveUpAt = Date.now() + AVAILABLE_MS;
  for (;;) {
    // It is registered whatever this says.
    const targets = await proxyTargets(aws, entry.proxy).catch(() => []);
    const health = targets.find(({ RdsResourceId }) => RdsResourceId === to)?.TargetHealth;
    if (health?.State === 'AVAILABLE') return;
    if (Date.now() > giveUpAt) {
      const message = `${whatIs(entry)} finds ${to} ${health?.State ?? 'nowhere'}: ${health?.Description ?? 'no reason given'}`;
      throw ApplicationFailure.retryable(message, SWITCH_UNCONFIRMED);
    }
    await sleep(LOOK_AGAIN_MS);
  }
}
