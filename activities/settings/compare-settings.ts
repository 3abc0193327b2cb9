import { finalFailure } from '../../plan/failures';
import type { InstanceComparison, SettingsReport } from '../../plan/report';
import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { requireInstance } from '../rds/find-instance';
import { compareInstances } from './compare-instances';
import { describeInstance } from './describe-instance';
import { compareRoleSettings } from './role-settings';
import { wantedTarget } from './wanted-instance';

/**
 * Source and target, both described and compared field by field; roles and what `ALTER DATABASE ... SET` and `ALTER ROLE ... SET` say,
 * by SQL. Changes nothing.
 * @throws ApplicationFailure SettingsDiffer with every difference that the plan does not ask for, and the command that fixes it
 */
export async function compareSettings(deps: Dependencies, ref: MigrationRef): Promise<SettingsReport> {
  const [target, roles] = await Promise.all([compareTarget(deps, ref), compareRoleSettings(deps, ref)]);
  const report: SettingsReport = {
    instances: [target],
    roleSettings: roles.compared,
    replicas: await replicasOf(deps, ref),
  };
  const lines = [...linesOf(target), ...roles.differences];
  if (lines.length > 0) throw settingsDiffer(lines, report);
  return report;
}

/** Read replicas of the source, of every kind. */
async function replicasOf(deps: Dependencies, ref: MigrationRef): Promise<string[]> {
  const source = await requireInstance(awsOf(deps, ref), ref.plan.source.instance);
  return [...(source.ReadReplicaDBInstanceIdentifiers ?? []), ...(source.ReadReplicaDBClusterIdentifiers ?? [])].sort();
}

/** The comparison of the target alone. */
export async function compareTarget(deps: Dependencies, ref: MigrationRef): Promise<InstanceComparison> {
  const aws = awsOf(deps, ref);
  const { source, target } = ref.plan;
  const [like, found] = await Promise.all([
    describeInstance(aws, source.instance),
    describeInstance(aws, target.instance),
  ]);
  return compareInstances('target', like, wantedTarget(ref.plan, like.instance), found);
}

/** Differences for people, one line each. */
export const linesOf = ({ instance, differences }: InstanceComparison): string[] =>
  differences.map(
    ({ field, wanted, found, command }) =>
      `${instance} ${field}: ${found}, wanted ${wanted}. ${command ?? 'No command changes it: put it into target.mayDiffer of the plan, or abort and start again'}`,
  );

/** @param lines what differs and what fixes it */
export const settingsDiffer = (lines: readonly string[], report: SettingsReport) =>
  finalFailure(
    'SettingsDiffer',
    `${lines.length} setting${lines.length === 1 ? ' is' : 's are'} not as on the source. Fix, then send retry:\n${lines.join('\n')}`,
    report,
  );
