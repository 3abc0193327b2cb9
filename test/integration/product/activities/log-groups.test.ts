import {
  CreateLogGroupCommand,
  DescribeLogGroupsCommand,
  PutLogGroupDeletionProtectionCommand,
  PutRetentionPolicyCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { CreateDBInstanceCommand, ModifyDBInstanceCommand } from '@aws-sdk/client-rds';
import { cutoverTable } from '../../../../activities/postgres/fence-table';
import { findLogGroups, lookAtLogGroups } from '../../../../activities/rds/log-groups';
import { fenceSchema, ourTags } from '../../../../plan/names';
import type { Plan } from '../../../../plan/plan';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { MASTER } from '../../../support/stand-in';

const ref = migrationRef();
const SOURCE = ref.plan.source.instance;
const TARGET = ref.plan.target.instance;
const group = (instance: string, type = 'postgresql') => `/aws/rds/instance/${instance}/${type}`;

let lab: ActivityLab;
beforeAll(async () => {
  lab = await ActivityLab.open();
  const CloudwatchLogsExportConfiguration = { EnableLogTypes: ['postgresql', 'upgrade'] };
  await lab
    .aws()
    .rds.send(new ModifyDBInstanceCommand({ DBInstanceIdentifier: SOURCE, CloudwatchLogsExportConfiguration }));
});
afterAll(() => lab?.close());

async function names(): Promise<(string | undefined)[]> {
  const { logGroups = [] } = await lab.aws().logs.send(new DescribeLogGroupsCommand({}));
  return logGroups.map(({ logGroupName }) => logGroupName);
}

/** An instance that exports its log, as a restore of ours makes it. */
async function instance(DBInstanceIdentifier: string): Promise<void> {
  await lab.aws().rds.send(
    new CreateDBInstanceCommand({
      DBInstanceIdentifier,
      Engine: 'postgres',
      EngineVersion: '16',
      DBInstanceClass: 'db.m6g.large',
      AllocatedStorage: 100,
      EnableCloudwatchLogsExports: ['postgresql'],
      Tags: ourTags(ref.id, 'target'),
      ...MASTER,
    }),
  );
  await lab.standIn.untilInstance(DBInstanceIdentifier);
  // A clone of the source has what the migration wrote there.
  await lab.standIn.query(
    DBInstanceIdentifier,
    `CREATE SCHEMA ${fenceSchema(ref.id)}; CREATE TABLE ${cutoverTable(ref.id)} (id int, facts jsonb)`,
  );
}

const keeping = (keep: Partial<Plan['keep']>) => ({
  ...ref,
  plan: { ...ref.plan, keep: { ...ref.plan.keep, ...keep } },
});

it('finds those of an instance, with what an approver wants to know of them', async () => {
  await lab
    .aws()
    .logs.send(new PutRetentionPolicyCommand({ logGroupName: group(SOURCE, 'upgrade'), retentionInDays: 30 }));
  await lab.aws().logs.send(new CreateLogGroupCommand({ logGroupName: group(`${SOURCE}-2`) }));
  await expect(findLogGroups(lab.aws(), SOURCE)).resolves.toEqual([
    { name: group(SOURCE), storedBytes: 0, protected: false },
    { name: group(SOURCE, 'upgrade'), storedBytes: 0, protected: false, retentionDays: 30 },
  ]);
});

it('who may not look says why, and goes on', async () => {
  const policy = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 'rds:*', Resource: '*' }],
  };
  await lab.standIn.control('PATCH', 'iam', { policy, enforce: true });
  try {
    const { groups, unknown } = await lookAtLogGroups(lab.aws(), [SOURCE]);
    expect(groups).toEqual([]);
    expect(unknown).toContain('is not authorized to perform: logs:DescribeLogGroups');
  } finally {
    await lab.standIn.control('PATCH', 'iam', { policy: null, enforce: false });
  }
});

it('who can not reach CloudWatch Logs says why, and goes on; an abort does not wait for it', async () => {
  await lab.run('createSnapshot', ref);
  await instance(TARGET);
  await lab.standIn.control('POST', 'faults', { operation: 'DescribeLogGroups', kind: 'error', times: 100 });
  try {
    await expect(lookAtLogGroups(lab.aws(), [SOURCE])).resolves.toMatchObject({
      groups: [],
      unknown: expect.stringContaining('internal error') as string,
    });
    await expect(lab.run('deleteTarget', ref)).rejects.toMatchObject({
      type: 'ResourceFailed',
      nonRetryable: true,
      message: expect.stringContaining(`DB instance ${TARGET} is deleted, its log groups are not`) as string,
    });
  } finally {
    await lab.standIn.control('DELETE', 'faults');
  }
  await expect(names()).resolves.toContain(group(TARGET));
  await lab.run('deleteTarget', ref, 2);
  await expect(names()).resolves.not.toContain(group(TARGET));
  await lab.run('deleteSnapshot', ref);
});

it('an abort deletes those that came with the target, and no older ones', async () => {
  await lab.aws().logs.send(new CreateLogGroupCommand({ logGroupName: group(TARGET, 'iam-db-auth-error') }));
  await lab.run('createSnapshot', ref);
  await instance(TARGET);
  await expect(names()).resolves.toContain(group(TARGET));
  await lab.twice('deleteTarget', ref);
  await expect(findLogGroups(lab.aws(), TARGET)).resolves.toMatchObject([{ name: group(TARGET, 'iam-db-auth-error') }]);
});

it('an abort whose worker dies after the deletion of the target still deletes them', async () => {
  await lab.aws().logs.send(new CreateLogGroupCommand({ logGroupName: group(TARGET) }));
  await lab.run('deleteTarget', ref, 2);
  await expect(names()).resolves.not.toContain(group(TARGET));
});

describe('the decommission', () => {
  const resourceId = async () => (await lab.standIn.instance(SOURCE)).DbiResourceId ?? '';

  it('deletes them behind the source if the plan says so, but what is protected; a second time as well', async () => {
    await lab.aws().logs.send(
      new PutLogGroupDeletionProtectionCommand({
        logGroupIdentifier: group(SOURCE, 'upgrade'),
        deletionProtectionEnabled: true,
      }),
    );
    const input = { ...keeping({ logGroups: false, finalSnapshot: false }), resourceId: await resourceId() };
    await expect(lab.twice('deleteSource', input)).resolves.toEqual({
      logGroups: [{ name: group(SOURCE, 'upgrade'), storedBytes: 0, protected: true, retentionDays: 30 }],
    });
    // Of another instance, whose name begins with the same letters.
    await expect(names()).resolves.toContain(group(`${SOURCE}-2`));
    await expect(names()).resolves.not.toContain(group(SOURCE));
  });

  it('leaves them alone where another instance has the name by now', async () => {
    await instance(SOURCE);
    const input = { ...keeping({ logGroups: false }), resourceId: 'db-THEONEBEFORE' };
    await expect(lab.run('deleteSource', input)).rejects.toMatchObject({ type: 'NotOurs' });
    await expect(names()).resolves.toContain(group(SOURCE));
  });

  it('names them where the plan keeps them', async () => {
    const input = { ...keeping({ finalSnapshot: false }), resourceId: await resourceId() };
    const { logGroups = [] } = await lab.twice('deleteSource', input);
    expect(logGroups.map(({ name }) => name)).toEqual([group(SOURCE), group(SOURCE, 'upgrade')]);
  });
});
