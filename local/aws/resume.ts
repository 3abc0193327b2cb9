import type { Context } from './context';
import { resumeProxy } from './rds/proxy-operations';
import { runInstanceOperation } from './rds/instance-jobs';
import { SERVING } from './rds/instance-states';
import type { InstanceRecord } from './rds/model';
import { runSnapshotOperation } from './rds/snapshot-jobs';
import { resumeChanges } from './route53/operations';

/**
 * Brings everything back to where an earlier stand-in left it: servers that still run are taken over, others are started (with a crash recovery if need be), and what was under way is
 * taken up again. Answers when all instances that should be up are up.
 */
export async function resumeEverything(context: Context): Promise<void> {
  const regions = context.store.regions().map(([, state]) => state.rds);
  const instances = regions.flatMap(({ instances }) => Object.values(instances));
  await Promise.all(instances.map((instance) => resumeServer(context, instance)));
  for (const { snapshots } of regions) {
    for (const snapshot of Object.values(snapshots)) runSnapshotOperation(context, snapshot);
  }
  for (const instance of instances) runInstanceOperation(context, instance);
  resumeChanges(context);
  for (const [region, { rds }] of context.store.regions()) {
    for (const proxy of Object.values(rds.proxies ?? {})) await resumeProxy(context, region, proxy);
  }
}

async function resumeServer({ log, pids, servers, store }: Context, instance: InstanceRecord): Promise<void> {
  const server = servers.of(instance);
  const adopted = server.adopt(pids.find(`postgres ${instance.resourceId}`));
  if (instance.status === 'backing-up') instance.status = 'available';
  if (instance.parameterApplyStatus === 'applying') instance.parameterApplyStatus = 'pending-reboot';
  store.changed();
  const shouldRun = [...SERVING, 'modifying', 'renaming'].includes(instance.status);
  if (adopted || !shouldRun) return;
  try {
    await server.start();
  } catch (error) {
    log.error({ instance: instance.id, err: error }, 'instance could not be started again');
    instance.status = 'failed';
  }
}
