import type { DBInstance } from '@aws-sdk/client-rds';
import core from '../../docs/iam-policy.json';
import options from '../../docs/iam-policy-options.json';
import { oldSourceName, renames } from '../../plan/instance-names';
import { stopsSource } from '../../plan/last-lock';
import { awsName } from '../../plan/names';
import type { Plan, TrafficType } from '../../plan/plan';
import { placeInS3 } from '../../plan/report-plan';
import { sourceSnapshotName } from '../rds/create-snapshot';
import { parameterGroupOf } from '../rds/find-instance';
import { parameterGroupName } from '../rds/prepare-parameters';

/** Calls that a migration makes, and what on. */
export interface NeededPermission {
  readonly sid: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  /** Values of condition keys that these calls bring along. */
  readonly context: Readonly<Record<string, string>>;
}

/** The account and the region in which the migration works. */
export interface Surroundings {
  readonly region: string;
  readonly account: string;
  readonly migration: string;
  readonly plan: Plan;
  readonly source: DBInstance;
}

/**
 * Statements that say nothing here: whether a key or a secret can be used is also decided by its own policy, which the simulator
 * doesn't know, and whoever simulates may simulate. The check `key-usable` reads the key's policy, `source-credentials` and `traffic-switch` try theirs.
 */
const TRIED_ELSEWHERE = [
  'OwnPermissions',
  'TargetKey',
  'TargetKeyGrantForRds',
  'MasterSecret',
  'ManagedMasterSecret',
  'NewManagedMasterSecret',
  'TrafficSwitchSecret',
  'PoolerAndWebhookSecrets',
];

/** Statements for parts that not every source or plan has: whoever doesn't need them may leave them out of the policy. */
function isNeeded(sid: string, { source, plan }: Surroundings): boolean {
  const { cutover, keep } = plan;
  const replicas = (source.ReadReplicaDBInstanceIdentifiers ?? []).length > 0;
  const logs = !keep.logGroups || (source.EnabledCloudwatchLogsExports ?? []).length > 0;
  const switches = (type: TrafficType) => cutover.traffic.some((entry) => entry.type === type);
  // Without it there is no price to show, and everything else goes on.
  if (sid === 'Prices') return false;
  if (sid === 'RenamedSource') return renames(plan);
  if (sid === 'LogGroupsOfRenamedSource') return renames(plan) && logs;
  if (sid === 'LastLock') return stopsSource(plan) && !renames(plan);
  if (sid === 'LastLockOfRenamedSource') return stopsSource(plan) && renames(plan);
  if (['SourceReplicas', 'TargetReplicas', 'ReplicasOfTarget'].includes(sid)) return replicas;
  if (sid === 'LogGroups' || sid === 'LookAtLogGroups') return logs;
  if (sid === 'LogGroupsOfReplicas') return logs && replicas;
  if (sid === 'SecurityGroupFence') return cutover.fence.some(({ type }) => type === 'security-group');
  if (sid === 'TrafficSwitchParameterProperties') return switches('ssm-parameter');
  if (sid === 'TrafficSwitchRecordInSync') return switches('route53');
  if (sid === 'TrafficSwitchProxy')
    return switches('rds-proxy') || cutover.fence.some(({ type }) => type === 'rds-proxy');
  return true;
}

const asList = (value: string | readonly string[]): readonly string[] => (typeof value === 'string' ? [value] : value);

/** The statements of both policies in docs/, with what this migration puts in the place of its placeholders and wildcards. */
export function neededPermissions(around: Surroundings): NeededPermission[] {
  const { plan } = around;
  const { traffic } = plan.cutover;
  const parameters = traffic.flatMap((entry) =>
    entry.type === 'ssm-parameter' ? [entry.name.replace(/^\//, '')] : [],
  );
  const zones = traffic.flatMap((entry) => (entry.type === 'route53' ? [entry.hostedZoneId] : []));
  const several = [
    ['TRAFFIC-PARAMETER', parameters],
    ['HOSTED-ZONE-ID', zones],
  ] as const;
  return [...core.Statement, ...options.Statement]
    .filter(({ Sid }) => !TRIED_ELSEWHERE.includes(Sid) && isNeeded(Sid, around))
    .flatMap((statement): NeededPermission[] => {
      const resources = asList(statement.Resource).flatMap((pattern) => {
        const [placeholder, values] = several.find(([name]) => pattern.includes(name)) ?? ['', ['']];
        return values.map((value) => fill(pattern.replace(placeholder, value), around));
      });
      // A placeholder that nobody fills is one of a part that this plan doesn't use.
      const known = resources.filter((resource) => !/[A-Z]{3,}-[A-Z]{2,}/.test(resource));
      if (known.length === 0) return [];
      const { Condition } = statement as { Condition?: Record<string, Record<string, string | string[]>> };
      const context = Object.fromEntries(
        Object.entries(Condition ?? {}).flatMap(([operator, tests]) =>
          // What has to be there at all is our tag.
          Object.entries(tests).map(([key, value]) => [
            key,
            operator === 'Null' ? around.migration : (asList(value)[0] ?? ''),
          ]),
        ),
      );
      return [{ sid: statement.Sid, actions: asList(statement.Action), resources: known, context }];
    });
}

/** What the report is kept as; a plan that keeps it in no bucket leaves the placeholder. */
function reportIn(migration: string, { report }: Plan, otherwise: string): string {
  if (report?.s3 === undefined) return otherwise;
  const { bucket, prefix } = placeInS3(report.s3);
  return `${bucket}/${prefix}${migration}.json`;
}

function fill(pattern: string, { region, account, migration, plan, source }: Surroundings): string {
  return pattern
    .replace('REGION', region)
    .replace('ACCOUNT', account)
    .replace('RENAMED-SOURCE', oldSourceName(plan))
    .replace('SOURCE-INSTANCE', plan.source.instance)
    .replace('REPORT-BUCKET/*', reportIn(migration, plan, 'REPORT-BUCKET/*'))
    .replace(/(:log-group:.+)\/\*$/, '$1/postgresql')
    .replace('TARGET-INSTANCE-*', `${plan.target.instance}-replica`)
    .replace('TARGET-INSTANCE', plan.target.instance)
    .replace(/:snapshot:keyshift-\*$/, `:snapshot:${sourceSnapshotName(migration)}`)
    .replace(/:pg:keyshift-\*$/, `:pg:${parameterGroupName(migration)}`)
    .replace(/:secret:keyshift-\*$/, `:secret:${awsName(migration, 'replication')}-AbCdEf`)
    .replace(/:pg:\*$/, `:pg:${parameterGroupOf(source).name}`)
    .replace(/:og:\*$/, `:og:${source.OptionGroupMemberships?.[0]?.OptionGroupName ?? 'default'}`)
    .replace(
      /:subgrp:\*$/,
      `:subgrp:${plan.target.subnetGroup ?? source.DBSubnetGroup?.DBSubnetGroupName ?? 'default'}`,
    );
}
