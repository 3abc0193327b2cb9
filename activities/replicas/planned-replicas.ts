import type { DBInstance } from '@aws-sdk/client-rds';
import { finalFailure } from '../../plan/failures';
import { presentName } from '../../plan/instance-names';
import type { Plan } from '../../plan/plan';
import type { Aws, MigrationRef } from '../dependencies';
import { findInstance, requireInstance } from '../rds/find-instance';

/** A read replica of the source, and the name of the one that the target gets for it. */
export interface PlannedReplica {
  readonly like: DBInstance;
  readonly name: string;
}

export interface ReplicaPlan {
  readonly rebuilt: readonly PlannedReplica[];
  /** Replicas that the target does not get, with the reason. */
  readonly left: readonly string[];
}

const LONGEST_ID = 63;

/** `<target>-<what follows the source's identifier>`, or the name that the plan gives. */
export function replicaName({ source, target }: Plan, replica: string): string {
  const given = target.replicas.names[replica];
  if (given) return given;
  const suffix = replica.startsWith(`${source.instance}-`) ? replica.slice(source.instance.length + 1) : replica;
  return `${target.instance}-${suffix}`.slice(0, LONGEST_ID).replace(/-+$/, '');
}

/**
 * Which read replicas of the source the target gets. Not those in other regions, which need a key there, not Aurora clusters, and not
 * replicas of replicas.
 * @throws ApplicationFailure InvalidRequest when two would have one name
 */
export async function planReplicas(aws: Aws, ref: MigrationRef): Promise<ReplicaPlan> {
  const { plan } = ref;
  const source = await requireInstance(aws, presentName(ref, 'source'));
  const left = (source.ReadReplicaDBClusterIdentifiers ?? []).map((id) => `${id}: an Aurora cluster`);
  const rebuilt: PlannedReplica[] = [];
  for (const id of [...(source.ReadReplicaDBInstanceIdentifiers ?? [])].sort()) {
    const like = id.startsWith('arn:') ? undefined : await findInstance(aws, id);
    if (!plan.target.replicas.rebuild) left.push(`${id}: the plan leaves it out`);
    else if (!like) left.push(`${id}: in another region`);
    else rebuilt.push({ like, name: replicaName(plan, id) });
    left.push(...(like?.ReadReplicaDBInstanceIdentifiers ?? []).map((below) => `${below}: a replica of ${id}`));
  }
  const twice = rebuilt.find(({ name }, index) => rebuilt.findIndex((other) => other.name === name) !== index);
  if (twice) {
    throw finalFailure(
      'InvalidRequest',
      `Two read replicas would be called ${twice.name}. Abort, give them names in target.replicas.names of the plan, and start again.`,
    );
  }
  return { rebuilt, left };
}
