import { setTimeout as sleep } from 'node:timers/promises';
import type { FenceEntry } from '../../../plan/plan';
import { isAwsError } from '../../classify-error';
import { awsOf, instanceOf } from '../../dependencies';
import { deregisterTarget, hasTarget, notRegistrable, proxyTargets, registerTarget } from '../../rds/proxy-targets';
import { showsAfterMs } from '../../rds/wait-for-instance';
import type { FenceKind } from './fence';

type ProxyEntry = Extract<FenceEntry, { type: 'rds-proxy' }>;

const LOOK_EVERY_MS = 250;

/**
 * The source leaves the proxy's target group: clients of the proxy wait for as long as its ConnectionBorrowTimeout says. The switch of
 * the same proxy registers the target after the drain; the plan has it in any case.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeregisterDBProxyTargets.html
 */
export const rdsProxy: FenceKind<ProxyEntry> = {
  async look(deps, ref, entry) {
    const source = instanceOf(ref, 'source');
    const what = `RDS Proxy ${entry.proxy}`;
    try {
      const aws = awsOf(deps, ref);
      const targets = await proxyTargets(aws, entry.proxy);
      const unfit = await notRegistrable(aws, source);
      const findings = [`${what}: ${source} is deregistered; its clients wait up to its ConnectionBorrowTimeout`];
      return {
        findings,
        red: [
          ...(hasTarget(targets, source) ? [] : [`${what} does not stand before ${source}: register it`]),
          // A pause that is given up puts it back.
          ...(unfit === undefined ? [] : [`${what}: ${unfit}: wait for it`]),
        ],
      };
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
      staysUp: false,
      async raise(clock) {
        // Whether the pause goes on or is given up, one of them is to be registered after this.
        const unfit = hasTarget(await proxyTargets(aws, entry.proxy), source)
          ? await notRegistrable(aws, source, instanceOf(ref, 'target'))
          : undefined;
        if (unfit !== undefined) throw new Error(`RDS Proxy ${entry.proxy}: ${unfit}`);
        await deregisterTarget(aws, entry.proxy, source);
        while (hasTarget(await proxyTargets(aws, entry.proxy), source)) {
          clock.mayGoOn();
          await sleep(LOOK_EVERY_MS);
        }
      },
      async lower() {
        for (const giveUpAt = Date.now() + showsAfterMs(aws); ; await sleep(LOOK_EVERY_MS)) {
          const targets = await proxyTargets(aws, entry.proxy);
          // Somebody registered another target, or the fence was never raised: not ours to change.
          if (targets.length === 0) return registerTarget(aws, entry.proxy, source);
          // A request of `raise` that RDS has taken may not show yet.
          if (!hasTarget(targets, source) || Date.now() > giveUpAt) return;
        }
      },
      // The switch has registered the target.
      release: () => Promise.resolve(),
      close: () => Promise.resolve(),
    });
  },
};
