import {
  type BlueGreenDeployment,
  type DBInstance,
  type DBProxy,
  paginateDescribeBlueGreenDeployments,
  paginateDescribeDBProxies,
  paginateDescribeDBProxyTargets,
} from '@aws-sdk/client-rds';
import type { Check } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import { isAwsError } from '../classify-error';
import type { Aws } from '../dependencies';
import { evidenceOf, named } from './findings';

/** The source is an instance of its own: no member of a cluster, no replica of another one. */
export function checkTopology(source: DBInstance): Check {
  const code = 'source-topology';
  const id = source.DBInstanceIdentifier ?? '';
  const cluster = source.DBClusterIdentifier;
  if (cluster) {
    return {
      code,
      level: 'block',
      message: `${id} is a member of the Multi-AZ DB cluster ${cluster}: its snapshots are those of the cluster, which this strategy does not restore.`,
      remedy: `# as an instance of its own it can be moved: aws rds restore-db-instance-from-db-snapshot --db-instance-identifier ${id}-single --db-cluster-snapshot-identifier <snapshot of ${cluster}>`,
      evidence: { cluster },
    };
  }
  const primary = source.ReadReplicaSourceDBInstanceIdentifier ?? source.ReadReplicaSourceDBClusterIdentifier;
  if (primary) {
    return {
      code,
      level: 'block',
      message: `${id} is a read replica of ${primary}: nobody can publish on it, and its contents are written elsewhere.`,
      remedy: `# name ${primary} in source.instance; or, if this one is to live on by itself:\naws rds promote-read-replica --db-instance-identifier ${id}`,
      evidence: { primary },
    };
  }
  return { code, level: 'ok', message: `${id} is an instance of its own` };
}

/** Read replicas of the source: rebuilt on the target where RDS can, in this region. */
export function checkReplicas(aws: Aws, source: DBInstance): Check {
  const code = 'read-replicas';
  const id = source.DBInstanceIdentifier ?? '';
  const replicas = source.ReadReplicaDBInstanceIdentifiers ?? [];
  // Those of another region are named by ARN.
  const abroad = replicas.filter((name) => name.startsWith('arn:') && !name.includes(`:rds:${aws.region}:`));
  const clusters = source.ReadReplicaDBClusterIdentifiers ?? [];
  const evidence = { replicas: evidenceOf(replicas), otherRegions: abroad, clusters };
  if (abroad.length + clusters.length > 0) {
    return {
      code,
      level: 'warn',
      message: `${id} has replicas that Keyshift doesn't rebuild: ${named([...abroad, ...clusters])}. They end with the source.`,
      remedy: [...abroad, ...clusters]
        .map(
          () =>
            `# after the cutover, in the region of the replica: aws rds create-db-instance-read-replica --db-instance-identifier <name> --source-db-instance-identifier <ARN of the target> --kms-key-id <key of that region>`,
        )
        .join('\n'),
      evidence,
    };
  }
  if (replicas.length === 0) return { code, level: 'ok', message: `${id} has no read replicas` };
  return { code, level: 'ok', message: `read replicas of ${id}, rebuilt on the target: ${named(replicas)}`, evidence };
}

/** A proxy in front of the source goes on to it after the cutover until somebody registers the target, unless the plan switches it. */
export async function checkProxies(aws: Aws, plan: Plan, source: DBInstance): Promise<Check> {
  const code = 'rds-proxy';
  const id = source.DBInstanceIdentifier ?? '';
  const proxies: DBProxy[] = [];
  for await (const page of paginateDescribeDBProxies({ client: aws.rds }, {})) proxies.push(...(page.DBProxies ?? []));
  const inFront: string[] = [];
  for (const { DBProxyName, EngineFamily } of proxies) {
    if (EngineFamily === 'POSTGRESQL' && DBProxyName && (await leadsTo(aws, DBProxyName, source)))
      inFront.push(DBProxyName);
  }
  if (inFront.length === 0) return { code, level: 'ok', message: `no RDS Proxy leads to ${id}` };
  const switched = plan.cutover.traffic.flatMap((one) => (one.type === 'rds-proxy' ? [one.proxy.toLowerCase()] : []));
  const left = inFront.filter((name) => !switched.includes(name.toLowerCase()));
  if (left.length === 0) {
    return { code, level: 'ok', message: `the plan switches what leads to ${id}: RDS Proxy ${named(inFront)}` };
  }
  return {
    code,
    level: 'warn',
    message: `RDS Proxy ${named(left)} leads to ${id}, also after the cutover: it has to be registered with the target, and its clients see the pause.`,
    remedy: left
      .flatMap((name) => [
        `aws rds deregister-db-proxy-targets --db-proxy-name ${name} --db-instance-identifiers ${id}`,
        `# that cuts off its clients, so do it in the cutover, and then: aws rds register-db-proxy-targets --db-proxy-name ${name} --db-instance-identifiers ${plan.target.instance}`,
      ])
      .join('\n'),
    evidence: { proxies: evidenceOf(left) },
  };
}

async function leadsTo(aws: Aws, proxy: string, source: DBInstance): Promise<boolean> {
  const ours = [source.DBInstanceIdentifier, source.DbiResourceId, source.DBInstanceArn];
  try {
    for await (const page of paginateDescribeDBProxyTargets({ client: aws.rds }, { DBProxyName: proxy })) {
      if (
        page.Targets?.some(
          ({ RdsResourceId, TargetArn }) => ours.includes(RdsResourceId) || (TargetArn && ours.includes(TargetArn)),
        )
      )
        return true;
    }
  } catch (error) {
    // Deleted between the two calls.
    if (!isAwsError(error, 'DBProxyNotFoundFault', 'DBProxyNotFound')) throw error;
  }
  return false;
}

/** A blue/green deployment replicates from the source by itself, refuses our slots, and swaps names under us. */
export async function checkBlueGreen(aws: Aws, source: DBInstance): Promise<Check> {
  const code = 'blue-green';
  const id = source.DBInstanceIdentifier ?? '';
  const arn = source.DBInstanceArn;
  const found: BlueGreenDeployment[] = [];
  for await (const page of paginateDescribeBlueGreenDeployments({ client: aws.rds }, {})) {
    const open = (page.BlueGreenDeployments ?? []).filter(({ Status }) => Status !== 'SWITCHOVER_COMPLETED');
    found.push(...open.filter(({ Source, Target }) => Source === arn || Target === arn));
  }
  if (found.length === 0) return { code, level: 'ok', message: `no blue/green deployment has ${id}` };
  const names = found.map(
    (one) => `${one.BlueGreenDeploymentName} (${one.BlueGreenDeploymentIdentifier}, ${one.Status})`,
  );
  return {
    code,
    level: 'block',
    message: `${id} is part of the blue/green deployment ${named(names)}: it refuses foreign logical replication, and its switchover swaps the names of instances.`,
    remedy: found
      .map(
        (one) =>
          `aws rds delete-blue-green-deployment --blue-green-deployment-identifier ${one.BlueGreenDeploymentIdentifier}`,
      )
      .join('\n'),
    evidence: { deployments: evidenceOf(names) },
  };
}
