import { CreateDBInstanceCommand, CreateDBParameterGroupCommand, CreateDBSnapshotCommand } from '@aws-sdk/client-rds';
import { PutParameterCommand } from '@aws-sdk/client-ssm';
import type { MigrationRef } from '../../../../activities/dependencies';
import { type Rule, type RuledActivity, RULES } from '../../../../activities/in-use/rules';
import {
  awsName,
  fenceSchema,
  publicationName,
  replicationRole,
  slotName,
  subscriptionName,
} from '../../../../plan/names';
import { SWITCH_UNCONFIRMED } from '../../../../activities/traffic/traffic-switch';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import {
  captureAndClone,
  createApplication,
  DATABASES,
  fenceOf,
  MARK,
  type Steps,
  subscribe,
} from '../../../support/migration-steps';
import { SMALLEST_PLAN } from '../../../support/plan';
import { MASTER } from '../../../support/stand-in';
import { wholeWorld } from '../../../support/whole-world';

/**
 * Every activity that undoes, deletes, or belongs to the time before the switch, against worlds in which it must not. What they ask and by
 * what they know their own is in activities/in-use/rules.ts; this test holds that table against the world.
 */

const PARAMETER = '/app/database';
const PLAN = {
  ...SMALLEST_PLAN,
  databases: [...DATABASES],
  cutover: { pauseBudgetMs: 10_000, traffic: [{ type: 'ssm-parameter' as const, name: PARAMETER }] },
};
const [SOURCE, TARGET, THEIRS] = ['app-db', 'app-db-encrypted', 'their-db'];

const rules = Object.entries(RULES) as [RuledActivity, Rule][];
const named = (wanted: (rule: Rule) => boolean) => rules.filter(([, rule]) => wanted(rule)).map(([name]) => name);
const DESTROYERS = named(({ destroys }) => destroys !== undefined);
/** What has no place where applications are on the target. */
const BEFORE_THE_SWITCH = named(({ unused }) => unused === 'target');

let lab: ActivityLab;
let steps: Steps;
let ref: MigrationRef;

beforeAll(async () => {
  lab = await ActivityLab.open();
  await createApplication(lab);
  await pointAt(SOURCE);
  ref = migrationRef(PLAN, 'ours');
  steps = await captureAndClone(lab, ref);
  await subscribe(lab, steps);
  await lab.run('prepareWayBack', steps.input);
  await lab.run('preparePause', steps.input);
  const fence = await fenceOf(lab, steps);
  const there = await lab.run('cutOver', { ...steps.input, fence });
  if (!there.switched) throw new Error(there.reason);
  await lab.run('startWayBack', { ...steps.input, from: there.wayBackFrom ?? '' });
});
afterAll(() => lab?.close());

async function pointAt(instance: string): Promise<void> {
  const { Endpoint } = await lab.standIn.instance(instance);
  const Value = `${Endpoint?.Address}:${Endpoint?.Port}`;
  await lab.aws().ssm.send(new PutParameterCommand({ Name: PARAMETER, Type: 'String', Value, Overwrite: true }));
}

/** What each activity is called with, for a migration whose source has that resource id. */
async function call(
  name: RuledActivity,
  migration: MigrationRef,
  resourceId = steps.source.resourceId,
): Promise<unknown> {
  const input = {
    ...migration,
    databases: DATABASES,
    mark: MARK,
    slots: steps.slots,
    position: '0/1',
    kmsKeyArn: lab.keyArn,
    previousGroup: steps.source.parameterGroup,
    resourceId,
    fencedRoles: ['app'],
    fence: { roles: ['app'], unlockable: [], databases: [] },
    side: 'source',
    serving: name === 'removeReplication' ? 'target' : undefined,
    endReaders: true,
  };
  return lab.run(name, input);
}

const failureOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
    return 'nothing';
  } catch (error) {
    return (error as { type?: string }).type ?? String(error);
  }
};

/** Kinds of evidence; sessions apart, since one of the test may not have ended yet. */
async function kindsSeen(): Promise<string[]> {
  const { evidence } = await lab.run('lookAtUse', steps.input);
  return evidence.map(({ kind }) => kind).filter((kind) => kind !== 'sessions');
}

const seen = (...more: string[]) => wholeWorld(lab, [SOURCE, TARGET, ...more], DATABASES);

describe('with applications on the target', () => {
  it.each(BEFORE_THE_SWITCH)('%s refuses and changes nothing', async (name) => {
    const before = await seen();
    await expect(call(name, ref)).rejects.toMatchObject({ type: 'InUse', nonRetryable: true });
    expect(await seen()).toEqual(before);
  });

  it('what an undo asks by itself refuses, too: the fence, replica identities', async () => {
    const before = await seen();
    await expect(call('lowerFence', ref)).rejects.toMatchObject({ type: 'AlreadySwitched' });
    await expect(call('restoreReplicaIdentities', ref)).rejects.toMatchObject({ type: 'InUse' });
    expect(await seen()).toEqual(before);
  });

  it('says what it saw, before anything is undone', async () => {
    await expect(kindsSeen()).resolves.toEqual(['switch', 'pause', 'way-back', 'record']);
  });

  it('a slot that the switch has removed is not called lost', async () => {
    const guard = { ...steps.input, reportAfterMs: 1_000 };
    await expect(lab.run('guardSource', guard)).rejects.toMatchObject({
      type: 'InUse',
      message: expect.stringContaining('a cutover to app-db-encrypted is recorded') as string,
    });
  });

  it('each piece of evidence stands by itself: without record, switch and mark the way back still says so', async () => {
    const schema = fenceSchema(ref.id);
    const marked = (at: string) =>
      lab.sql(
        SOURCE,
        `BEGIN READ WRITE; UPDATE ${schema}.fence SET fenced_at = ${at} WHERE purpose = 'pause'; COMMIT`,
        'ledger',
      );
    // Whose name is the moment of its beginning.
    const [pause] = await lab.sql<{ since: string }>(
      SOURCE,
      `SELECT fenced_at::text AS since FROM ${schema}.fence WHERE purpose = 'pause'`,
      'ledger',
    );
    const [record] = await lab.sql<{ facts: unknown }>(
      TARGET,
      `SELECT facts::text FROM ${schema}.cutover WHERE id = 1`,
      'ledger',
    );
    await pointAt(SOURCE);
    await lab.sql(TARGET, `DELETE FROM ${schema}.cutover`, 'ledger');
    await marked('NULL');
    try {
      await expect(kindsSeen()).resolves.toEqual(['way-back']);
      // A record beside a fence that is down, and a switch that names the source: a given-up pause left it.
      await lab.sql(TARGET, `INSERT INTO ${schema}.cutover VALUES (1, '${String(record?.facts)}')`, 'ledger');
      await expect(kindsSeen()).resolves.toEqual(['way-back']);
    } finally {
      await marked(`'${pause?.since}'`);
      await pointAt(TARGET);
    }
    await expect(kindsSeen()).resolves.toEqual(['switch', 'pause', 'way-back', 'record']);
  });

  it('sessions of an application on the target are seen', async () => {
    const app = await lab.standIn.connect(TARGET, { database: 'shop', user: 'app', password: 'app-password' });
    try {
      const { evidence } = await lab.run('lookAtUse', steps.input);
      expect(evidence.find(({ kind }) => kind === 'sessions')?.text).toContain('1 of app');
    } finally {
      await app.end();
    }
  });
});

/** As after a renaming by hand, or a Blue/Green deployment: what has the name of the target is another instance. */
describe('with a target that is not the one under its name', () => {
  const elsewhere = () => ({ ...ref, sourceResourceId: steps.source.resourceId, targetResourceId: 'db-ELSEWHERE' });

  it.each(BEFORE_THE_SWITCH)('%s refuses and changes nothing', async (name) => {
    const before = await seen();
    await expect(call(name, elsewhere())).rejects.toMatchObject({ type: 'InUse', nonRetryable: true });
    expect(await seen()).toEqual(before);
  });

  it('the fence stays up: the switch names neither side, and its pause had begun with it', async () => {
    const before = await seen();
    await expect(call('lowerFence', elsewhere())).rejects.toMatchObject({ type: SWITCH_UNCONFIRMED });
    expect(await seen()).toEqual(before);
  });
});

describe('a source that was replaced under its name', () => {
  const replaced = { ...migrationRef(PLAN, 'replaced'), sourceResourceId: 'db-ELSEWHERE' };

  it.each([
    'prepareParameters',
    'rebootSource',
    'createAccess',
    'setReplicaIdentities',
    'createPublications',
    'createSlots',
    'createSnapshot',
  ] as const)('gets nothing from %s', async (name) => {
    const before = await seen();
    await expect(call(name, replaced)).rejects.toMatchObject({ type: 'NotOurs' });
    expect(await seen()).toEqual(before);
  });
});

describe('in doubt, with a switch that was turned back to the source by hand', () => {
  beforeAll(() => pointAt(SOURCE));
  afterAll(() => pointAt(TARGET));

  it.each(DESTROYERS.filter((name) => name !== 'lowerFence'))('%s destroys nothing', async (name) => {
    const before = await seen();
    expect(await failureOf(call(name, ref))).toBe('InUse');
    expect(await seen()).toEqual(before);
  });
});

describe('what another migration owns', () => {
  const other = migrationRef(PLAN, 'other');

  it.each(DESTROYERS)('is left alone by %s', async (name) => {
    const before = await seen();
    await failureOf(call(name, other, 'db-ANOTHER'));
    expect(await seen()).toEqual(before);
  });
});

describe("what is somebody else's, under every name that a migration would give", () => {
  const id = 'stranger';
  const stranger = migrationRef(
    { ...PLAN, target: { ...PLAN.target, instance: THEIRS }, soak: { wayBack: 'none' }, replicaIdentity: 'set' },
    id,
  );

  beforeAll(async () => {
    const { rds } = lab.aws();
    await rds.send(
      new CreateDBInstanceCommand({
        DBInstanceIdentifier: THEIRS,
        Engine: 'postgres',
        EngineVersion: '16',
        DBInstanceClass: 'db.m6g.large',
        AllocatedStorage: 100,
        ...MASTER,
      }),
    );
    await lab.standIn.untilInstance(THEIRS);
    for (const what of ['source', 'encrypted']) {
      const DBSnapshotIdentifier = awsName(id, what);
      await rds.send(new CreateDBSnapshotCommand({ DBInstanceIdentifier: THEIRS, DBSnapshotIdentifier }));
      await lab.standIn.untilSnapshot(DBSnapshotIdentifier);
    }
    for (const what of ['logical', 'quarantine']) {
      const DBParameterGroupName = awsName(id, what);
      const group = { DBParameterGroupName, DBParameterGroupFamily: 'postgres16', Description: 'x' };
      await rds.send(new CreateDBParameterGroupCommand(group));
    }
    await lab.secret(awsName(id, 'replication'), 'somebody', 'their-password');
    for (const database of DATABASES) await lab.sql(THEIRS, `CREATE DATABASE ${database}`);
    await lab.sql(SOURCE, `CREATE ROLE ${replicationRole(id)} LOGIN`);
    for (const instance of [SOURCE, THEIRS]) {
      for (const database of DATABASES) {
        await lab.sql(
          instance,
          `BEGIN READ WRITE; CREATE SCHEMA ${fenceSchema(id)}; CREATE TABLE ${fenceSchema(id)}.theirs (id int);
           CREATE PUBLICATION ${publicationName(id)}; COMMENT ON PUBLICATION ${publicationName(id)} IS 'mine';
           CREATE SUBSCRIPTION ${subscriptionName({ id, naming: 2 }, database)} CONNECTION 'host=nowhere password=none' PUBLICATION theirs WITH (connect = false, slot_name = NONE);
           COMMIT`,
          database,
        );
      }
    }
    await lab.sql(
      SOURCE,
      `SELECT pg_create_logical_replication_slot('${slotName({ id, naming: 2 }, 'shop')}', 'pgoutput')`,
      'shop',
    );
  });

  it.each(DESTROYERS)('is left alone by %s', async (name) => {
    const before = await seen(THEIRS);
    await failureOf(call(name, stranger, 'db-ANOTHER'));
    expect(await seen(THEIRS)).toEqual(before);
  });

  it('is refused where it would be needed: the role, the schema', async () => {
    const before = await seen(THEIRS);
    await expect(call('createAccess', stranger)).rejects.toMatchObject({ type: 'NotOurs' });
    await lab.sql(SOURCE, `BEGIN READ WRITE; DROP PUBLICATION ${publicationName(id)}; COMMIT`, 'ledger');
    await expect(call('createPublications', stranger)).rejects.toMatchObject({
      type: 'NotOurs',
      // Whichever of the two looks comes first: it is somebody else's schema, or what another migration left.
      message: expect.stringMatching(/has a schema|has left something there/) as string,
    });
    await lab.sql(
      SOURCE,
      `BEGIN READ WRITE; CREATE PUBLICATION ${publicationName(id)}; COMMENT ON PUBLICATION ${publicationName(id)} IS 'mine'; COMMIT`,
      'ledger',
    );
    expect(await seen(THEIRS)).toEqual(before);
  });
});
