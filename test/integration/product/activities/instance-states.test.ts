import { CreateDBParameterGroupCommand, ModifyDBInstanceCommand } from '@aws-sdk/client-rds';
import { lookAtTargetInstance } from '../../../../activities/cutover/look-at-target-instance';
import { requireInForce } from '../../../../activities/rds/require-in-force';
import type { SlotFacts } from '../../../../plan/position';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { createApplication, DATABASES, MARK } from '../../../support/migration-steps';
import { parsedPlan, SMALLEST_PLAN } from '../../../support/plan';
import { until } from '../../../support/stand-in';

/** What RDS does with instances besides what it was asked for, from the preflight to the board. */

const [SOURCE, TARGET] = ['app-db', 'app-db-encrypted'];
const ref = migrationRef({ ...SMALLEST_PLAN, databases: [...DATABASES] });
const input = { ...ref, databases: DATABASES };

let lab: ActivityLab;
let slots: SlotFacts[];

beforeAll(async () => {
  lab = await ActivityLab.open();
  await createApplication(lab);
  const { rds } = lab.aws();
  const DBParameterGroupName = 'team';
  await rds.send(
    new CreateDBParameterGroupCommand({
      DBParameterGroupName,
      DBParameterGroupFamily: 'postgres16',
      Description: 'own',
    }),
  );
  await rds.send(
    new ModifyDBInstanceCommand({
      DBInstanceIdentifier: SOURCE,
      DBParameterGroupName,
      BackupRetentionPeriod: 3,
      ApplyImmediately: true,
    }),
  );
  await until('the team has its group', async () => (await groupOf(SOURCE))?.ParameterApplyStatus === 'pending-reboot');
  await lab.run('prepareParameters', ref);
  await lab.run('rebootSource', ref);
  await lab.run('createAccess', ref);
  await lab.run('createPublications', { ...input, mark: MARK });
  slots = await lab.run('createSlots', input);
  await lab.run('createSnapshot', ref);
  await lab.run('copySnapshot', { ...ref, kmsKeyArn: lab.keyArn });
});
afterAll(() => lab?.close());

const groupOf = async (instance: string) => (await lab.standIn.instance(instance)).DBParameterGroups?.[0];

/** Does something while RDS describes an instance otherwise. */
async function described<T>(instance: string, describes: object, work: () => Promise<T>): Promise<T> {
  await lab.standIn.control('PATCH', `instances/${instance}`, { describes });
  try {
    return await work();
  } finally {
    await lab.standIn.control('PATCH', `instances/${instance}`, { describes: {} });
  }
}

test.each(['backing-up', 'storage-optimization', 'configuring-log-exports'])(
  'the preflight makes all its checks of a source that is %s',
  (DBInstanceStatus) =>
    described(SOURCE, { DBInstanceStatus }, async () => {
      const { checks } = await lab.run('runPreflight', ref);
      const found = checks.find(({ code }) => code === 'source-available');
      expect(found).toMatchObject({ level: 'ok', message: expect.stringContaining(DBInstanceStatus) as string });
      expect(checks.map(({ code }) => code)).toContain('wal-level');
    }),
);

test('a source that is full blocks, and the check says so aloud', () =>
  described(SOURCE, { DBInstanceStatus: 'storage-full' }, async () => {
    const { checks } = await lab.run('runPreflight', ref);
    expect(checks.find(({ code }) => code === 'source-available')).toMatchObject({
      level: 'block',
      message: expect.stringContaining('full') as string,
      remedy: `aws rds modify-db-instance --db-instance-identifier ${SOURCE} --allocated-storage 120 --apply-immediately`,
    });
  }));

test('a target that RDS started without its parameter group is rebooted into it', async () => {
  await lab.standIn.control('PATCH', `instances/${TARGET}`, { groupLeftPending: true });
  const target = { ...ref, kmsKeyArn: lab.keyArn };
  await expect(lab.run('restoreTarget', target)).resolves.toMatchObject({ rebooted: true, quarantined: false });
  await expect(groupOf(TARGET)).resolves.toEqual(await groupOf(SOURCE));
  await expect(lab.sql(TARGET, 'SHOW wal_level')).resolves.toEqual([{ wal_level: 'logical' }]);
  await expect(lab.run('restoreTarget', target, 2)).resolves.not.toHaveProperty('rebooted');
});

test('its position is proven all the same', async () => {
  await expect(lab.run('readPosition', { ...ref, slots })).resolves.toMatchObject({
    lsn: expect.any(String) as string,
  });
});

test('what a quarantine relies on is read on the server, not believed', async () => {
  await expect(requireInForce(lab.dependencies, ref, { quarantined: false })).resolves.toBeUndefined();
  await expect(requireInForce(lab.dependencies, ref, { quarantined: true })).rejects.toMatchObject({
    type: 'ResourceFailed',
    message: expect.stringContaining('max_logical_replication_workers') as string,
  });
});

test('automated backups begin with the settings, also where their number may differ, and nobody waits for the first one', async () => {
  await expect(lab.standIn.instance(TARGET)).resolves.toMatchObject({ BackupRetentionPeriod: 0 });
  await lab.standIn.control('POST', 'faults', { operation: 'ModifyDBInstance', kind: 'stall', state: 'backing-up' });
  const target = { ...SMALLEST_PLAN.target, mayDiffer: ['BackupRetentionPeriod'] };
  await lab.run('applySettings', { ...ref, plan: parsedPlan({ ...SMALLEST_PLAN, databases: [...DATABASES], target }) });
  await expect(lab.standIn.untilInstance(TARGET, 'backing-up')).resolves.toMatchObject({ BackupRetentionPeriod: 3 });
  await lab.standIn.control('DELETE', 'faults');
  await lab.standIn.untilInstance(TARGET);
});

test.each(['incompatible-network', 'modify-failed', 'upgrade-failed', 'restore-error'])(
  'a target that is %s is waited for no longer',
  (DBInstanceStatus) =>
    described(TARGET, { DBInstanceStatus }, () =>
      expect(lab.run('restoreTarget', { ...ref, kmsKeyArn: lab.keyArn })).rejects.toMatchObject({
        type: 'ResourceFailed',
        message: expect.stringContaining(`is in state ${DBInstanceStatus}`) as string,
      }),
    ),
);

describe('the board', () => {
  const lines = () => lookAtTargetInstance(lab.dependencies, ref);

  test('says that the parameter group of the target is in force', async () => {
    await expect(lines()).resolves.toMatchObject([{ code: 'parameters', red: false }]);
  });

  test('is red for one that waits for a reboot', async () => {
    const DBParameterGroups = [{ ...(await groupOf(TARGET)), ParameterApplyStatus: 'pending-reboot' }];
    await expect(described(TARGET, { DBParameterGroups }, lines)).resolves.toMatchObject([
      { code: 'parameters', red: true, final: true, text: expect.stringContaining('reboot-db-instance') as string },
    ]);
  });

  test('is red for a target that is full', async () => {
    const found = await described(TARGET, { DBInstanceStatus: 'storage-full' }, lines);
    expect(found).toContainEqual(
      expect.objectContaining({ code: 'storage', red: true, text: expect.stringContaining('FULL') as string }),
    );
  });
});

test('a group that waits for a reboot is not taken for the one in force: the next migration makes its own', async () => {
  await lab.run('dropSlots', input);
  await expect(lab.run('restoreParameters', { ...ref, previousGroup: 'team' })).resolves.toMatchObject({
    rebootNeeded: true,
  });
  // The reboot was refused: what is in force is of a group that is gone.
  await expect(lab.sql(SOURCE, 'SHOW wal_level')).resolves.toEqual([{ wal_level: 'logical' }]);
  await lab.run('dropAccess', ref);
  const next = migrationRef(SMALLEST_PLAN);
  const { checks } = await lab.run('runPreflight', next);
  expect(checks.find(({ code }) => code === 'wal-level')?.message).toContain('team waits for a reboot');
  await expect(lab.run('prepareParameters', next)).resolves.toMatchObject({
    group: `keyshift-${next.id}-logical`,
    previousGroup: 'team',
    rebootNeeded: true,
  });
});
