import type { Context } from '../context';
import type { InstanceRecord } from '../rds/model';
import { ACCOUNT_ID } from '../state';
import type { RegionState } from '../state';
import type { LogGroupRecord } from './model';

export const logGroupsOf = (state: RegionState): Record<string, LogGroupRecord> => (state.logGroups ??= {});

/** A new group, with what its maker says of it. */
export function newLogGroup(region: string, name: string, given: Partial<LogGroupRecord> = {}): LogGroupRecord {
  return {
    name,
    arn: `arn:aws:logs:${region}:${ACCOUNT_ID}:log-group:${name}`,
    createdAt: new Date().toISOString(),
    logGroupClass: 'STANDARD',
    deletionProtected: false,
    tags: {},
    ...given,
  };
}

/**
 * RDS makes a group for each log type that an instance exports: without retention, without a key, and without the instance's tags. It makes it anew
 * when somebody deletes it, and leaves it behind when the instance goes.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.Concepts.PostgreSQL.html
 */
export function exportLogs({ store }: Context, instance: InstanceRecord): void {
  const state = store.region(instance.region);
  if (state.rds.instances[instance.id] !== instance || instance.status === 'creating') return;
  const groups = logGroupsOf(state);
  for (const type of instance.settings.EnabledCloudwatchLogsExports) {
    const name = `/aws/rds/instance/${instance.id}/${type}`;
    groups[name] ??= newLogGroup(instance.region, name);
  }
  store.changed();
}
