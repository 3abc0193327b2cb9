import type { RemovedReplica } from '../../plan/report';
import { foreignSessions } from '../cutover/fence';
import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { accessTo, withSession } from '../postgres/session';
import { endpointOf, findInstance } from '../rds/find-instance';
import { describeStatus, isUp } from '../rds/instance-status';
import { type PlannedReplica, planReplicas } from './planned-replicas';
import { accessToReplica, replicaLagBytes } from './replica-lag';

/** Whether the target's read replicas are ready to be read from; for the go / no-go board. */
export async function lookAtReplicas(
  deps: Dependencies,
  ref: MigrationRef,
): Promise<{ red: string[]; findings: string[] }> {
  const { rebuilt, left } = await planReplicas(awsOf(deps, ref), ref);
  const looks = await Promise.all(rebuilt.map((replica) => lookAtReplica(deps, ref, replica)));
  return {
    red: looks.flatMap(({ red }) => red ?? []),
    findings: [
      ...looks.flatMap(({ finding }) => finding ?? []),
      ...left.map((one) => `read replica not rebuilt: ${one}`),
    ],
  };
}

async function lookAtReplica(
  deps: Dependencies,
  ref: MigrationRef,
  { like, name }: PlannedReplica,
): Promise<{ red?: string; finding?: string }> {
  const old = like.DBInstanceIdentifier ?? '';
  const found = await findInstance(awsOf(deps, ref), name);
  if (!found) {
    return {
      red: `read replica ${name} is missing, for ${old} on the source: aws rds create-db-instance-read-replica --db-instance-identifier ${name} --source-db-instance-identifier ${ref.plan.target.instance} --db-instance-class ${like.DBInstanceClass ?? ''}`,
    };
  }
  if (!isUp(found)) return { red: `read replica ${describeStatus(found)}` };
  const bytes = await replicaLagBytes(await accessTo(deps, ref, 'target'), found);
  if (bytes > ref.plan.cutover.maxLagBytes) return { red: `read replica ${name} is ${bytes} bytes behind the target` };
  const address = ({ address: host, port }: { address: string; port: number }) => `${host}:${port}`;
  return {
    finding: `read replica ${name} is ready, ${bytes} bytes behind; point readers of ${address(endpointOf(like))} (${old}) at ${address(endpointOf(found))}`,
  };
}

/** The source's read replicas that have one on the target, with who still reads from them: they go with the source. */
export async function replicasToRemove(
  deps: Dependencies,
  ref: MigrationRef,
): Promise<{ removed: RemovedReplica[]; left: readonly string[] }> {
  const aws = awsOf(deps, ref);
  const { rebuilt, left } = await planReplicas(aws, ref);
  const source = await accessTo(deps, ref, 'source');
  const removed: RemovedReplica[] = [];
  for (const { like, name } of rebuilt) {
    const options = { step: 'watch', database: 'postgres', readOnly: true };
    const sessions = await withSession(accessToReplica(source, like), options, (session) =>
      foreignSessions(session, { migration: ref.id, roles: ref.plan.cutover.spareRoles }),
    );
    removed.push({
      instance: like.DBInstanceIdentifier ?? '',
      resourceId: like.DbiResourceId ?? '',
      replacedBy: name,
      protected: like.DeletionProtection ?? false,
      sessions: sessions.length,
    });
  }
  return { removed, left };
}
