import { setTimeout as sleep } from 'node:timers/promises';
import {
  type DBProxyTarget,
  DeregisterDBProxyTargetsCommand,
  DescribeDBProxyTargetsCommand,
  RegisterDBProxyTargetsCommand,
} from '@aws-sdk/client-rds';
import type { FenceEntry } from '../../../plan/plan';
import { isAwsError } from '../../classify-error';
import { type Aws, awsOf, instanceOf } from '../../dependencies';
import type { FenceKind } from './fence';

type ProxyEntry = Extract<FenceEntry, { type: 'rds-proxy' }>;

const LOOK_EVERY_MS = 250;

/**
 * The source leaves the proxy's target group: clients of the proxy wait for as long as its ConnectionBorrowTimeout says. The switch of
 * the same proxy registers the target behind the drain; the plan has it in any case.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeregisterDBProxyTargets.html
 */
export const rdsProxy: FenceKind<ProxyEntry> = {
  async look(deps, ref, entry) {
    const source = instanceOf(ref, 'source');
    const what = `RDS Proxy ${entry.proxy}`;
    try {
      const targets = await targetsOf(awsOf(deps, ref), entry);
      const findings = [`${what}: ${source} is deregistered; its clients wait up to its ConnectionBorrowTimeout`];
      return { findings, red: has(targets, source) ? [] : [`${what} does not stand before ${source}: register it`] };
    } catch (error) {
      if (!isAwsError(error, 'DBProxyNotFoundFault', 'DBProxyNotFound')) throw error;
      return { findings: [], red: [`there is no ${what}: correct cutover.fence`] };
    }
  },
  open(deps, ref, entry) {
    const aws = awsOf(deps, ref);
    const source = instanceOf(ref, 'source');
    return Promise.resolve({
      name: `rds-proxy ${entry.proxy}`,
      raisedWhen: 'before',
      staysUp: false,
      async raise(clock) {
        await deregister(aws, entry, source);
        while (has(await targetsOf(aws, entry), source)) {
          clock.mayGoOn();
          await sleep(LOOK_EVERY_MS);
        }
      },
      async lower() {
        const targets = await targetsOf(aws, entry);
        // Somebody registered another target, or the fence was never raised: not ours to change.
        if (targets.length === 0) await register(aws, entry, source);
      },
      // The switch has registered the target.
      release: () => Promise.resolve(),
      close: () => Promise.resolve(),
    });
  },
};

const has = (targets: readonly DBProxyTarget[], instance: string): boolean =>
  targets.some(({ RdsResourceId }) => RdsResourceId === instance);

async function targetsOf({ rds }: Aws, { proxy }: ProxyEntry): Promise<DBProxyTarget[]> {
  return (await rds.send(new DescribeDBProxyTargetsCommand({ DBProxyName: proxy }))).Targets ?? [];
}

async function deregister({ rds }: Aws, { proxy }: ProxyEntry, source: string): Promise<void> {
  try {
    await rds.send(new DeregisterDBProxyTargetsCommand({ DBProxyName: proxy, DBInstanceIdentifiers: [source] }));
  } catch (error) {
    // By an attempt before this one.
    if (!isAwsError(error, 'DBProxyTargetNotFoundFault')) throw error;
  }
}

async function register({ rds }: Aws, { proxy }: ProxyEntry, source: string): Promise<void> {
  try {
    await rds.send(new RegisterDBProxyTargetsCommand({ DBProxyName: proxy, DBInstanceIdentifiers: [source] }));
  } catch (error) {
    if (!isAwsError(error, 'DBProxyTargetAlreadyRegisteredFault')) throw error;
  }
}
