import type { Context } from './context';
import type { RegionState } from './state';

/**
 * Everything that is there, without what changes by itself (times, progress, versions of values): whoever makes something and takes it away again
 * finds the same listing as before.
 */
export function listEverything({ store }: Context): object {
  const regions = store.regions().map(([name, state]) => [name, listRegion(state)] as const);
  // A region that was only asked is no different from one that never was.
  const used = regions.filter(([, kinds]) => Object.values(kinds).some((kind: unknown[]) => kind.length > 0));
  const zones = Object.values(store.route53.zones).map(({ id, name, records }) => ({ id, name, records }));
  const buckets = Object.values(store.s3.buckets).map(({ name, objects }) => ({ name, objects: Object.keys(objects) }));
  const global = zones.length + buckets.length > 0 ? { global: { hostedZones: zones, buckets } } : {};
  return sortKeys({ ...Object.fromEntries(used), ...global });
}

function listRegion({ rds, kms, secrets, parameters, logGroups, ec2 }: RegionState): object {
  return {
    instances: Object.values(rds.instances).map((instance) => ({
      id: instance.id,
      resourceId: instance.resourceId,
      status: instance.status,
      engineVersion: instance.engineVersion,
      kmsKeyArn: instance.kmsKeyArn,
      parameterGroup: instance.parameterGroup,
      parameterApplyStatus: instance.parameterApplyStatus,
      activeParameters: instance.activeParameters,
      settings: instance.settings,
      pending: Object.keys(instance.pending),
      tags: instance.tags,
    })),
    snapshots: Object.values(rds.snapshots).map(({ id, status, kmsKeyArn, tags, instance }) => ({
      id,
      status,
      kmsKeyArn,
      tags,
      instance: instance.id,
    })),
    parameterGroups: Object.values(rds.parameterGroups).map(({ name, family, tags, values }) => ({
      name,
      family,
      tags,
      values,
    })),
    automatedBackups: Object.values(rds.retainedBackups ?? {}).map(({ instance, resourceId }) => ({
      instance,
      resourceId,
    })),
    proxies: Object.values(rds.proxies ?? {}).map(({ name, targets }) => ({ name, targets })),
    blueGreenDeployments: Object.values(rds.blueGreens ?? {}).map(({ name, source }) => ({ name, source })),
    optionGroups: Object.keys(rds.optionGroups ?? {}),
    subnetGroups: Object.keys(rds.subnetGroups ?? {}),
    securityGroups: Object.values(ec2?.groups ?? {}).map(({ id, name, rules }) => ({ id, name, rules })),
    keys: Object.values(kms.keys).map(({ id, state, tags, policy }) => ({ id, state, tags, policy })),
    aliases: Object.values(kms.aliases).map(({ name, targetKeyId }) => ({ name, targetKeyId })),
    secrets: Object.values(secrets).map(({ name, tags, deletedAt }) => ({
      name,
      tags,
      deleted: deletedAt !== undefined,
    })),
    logGroups: Object.values(logGroups ?? {}).map(({ name, retentionDays, kmsKeyArn, tags }) => ({
      name,
      retentionDays,
      kmsKeyArn,
      tags,
    })),
    parameters: Object.values(parameters).map(({ name, type, tags, versions }) => ({
      name,
      type,
      tags,
      value: type === 'SecureString' ? undefined : versions.at(-1)?.value,
    })),
  };
}

/** Sorts members by name and lists by their text, at every depth. */
function sortKeys(value: unknown): object {
  const sort = (one: unknown): unknown => {
    if (Array.isArray(one))
      return one.map(sort).sort((left, right) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1));
    if (typeof one !== 'object' || one === null) return one;
    const entries = Object.entries(one).sort(([left], [right]) => (left < right ? -1 : 1));
    return Object.fromEntries(entries.map(([name, member]) => [name, sort(member)]));
  };
  return sort(value) as object;
}
