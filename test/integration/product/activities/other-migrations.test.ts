import { planFence, rolesLeftOpen } from '../../../../activities/cutover/fence';
import { accessTo, withSession } from '../../../../activities/postgres/session';
import { type Check, CHECKS } from '../../../../plan/checks';
import { postgresName } from '../../../../plan/names';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { SMALLEST_PLAN } from '../../../support/plan';

const INSTANCE = SMALLEST_PLAN.source.instance;
const first = migrationRef(SMALLEST_PLAN, 'first-one');
const second = migrationRef(SMALLEST_PLAN, 'second');
const databases = ['postgres', 'shop'];
let lab: ActivityLab;

beforeAll(async () => {
  lab = await ActivityLab.open('16');
  await lab.sql(INSTANCE, 'CREATE DATABASE shop');
});
afterAll(() => lab?.close());

const found = ({ checks }: { readonly checks: readonly Check[] }) =>
  checks.filter(({ code, level }) => code === 'other-migration' && level === 'block');
const roles = async () =>
  (await lab.sql<{ rolname: string }>(INSTANCE, `SELECT rolname FROM pg_roles WHERE rolname LIKE 'keyshift%'`)).map(
    ({ rolname }) => rolname,
  );

describe('two migrations of one source', () => {
  it('don’t both begin, if both preflights passed at the same moment', async () => {
    const both = await Promise.allSettled([first, second].map((ref) => lab.run('prepareParameters', ref)));
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const [refused] = both.flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : []));
    expect(refused).toMatchObject({ type: 'NotOurs', message: expect.stringContaining('keyshift status') as string });
    const winner = both[0]?.status === 'fulfilled' ? first : second;
    await expect(roles()).resolves.toEqual([postgresName(winner.id)]);
    await lab.run('restoreParameters', { ...winner, previousGroup: 'default.postgres16' });
    await expect(roles()).resolves.toEqual([]);
  });

  it('block in the preflight, which says which one runs and takes nothing away from it', async () => {
    expect(found(await lab.run('runPreflight', second))).toEqual([]);
    const { previousGroup } = await lab.run('prepareParameters', first);
    await lab.run('rebootSource', first);
    await lab.run('createAccess', first);
    await lab.run('createPublications', { ...first, databases, mark: 'a-mark' });
    await lab.run('createSlots', { ...first, databases });
    expect(previousGroup).toBe('default.postgres16');

    const preflight = await lab.run('runPreflight', second);
    const blocks = found(preflight);
    expect(blocks.map(({ evidence }) => evidence?.['migration'])).toEqual(['first-one', 'first-one']);
    expect(blocks[0]?.message).toContain('Look at its workflow first-one (keyshift status first-one)');
    expect(blocks.flatMap(({ evidence }) => evidence?.['found'])).toEqual(
      expect.arrayContaining([
        'role keyshift_first_one',
        'replication slot keyshift_first_one__postgres',
        'replication slot keyshift_first_one__shop',
        'publication keyshift_first_one',
        'schema keyshift_first_one',
        'parameter group keyshift-first-one-logical',
      ]),
    );
    expect(CHECKS['other-migration'].overridable).toBe(false);
    const remedies = preflight.checks.map(({ remedy }) => remedy ?? '').join('\n');
    expect(remedies).not.toMatch(/(DROP|drop|TERMINATE|terminate)\S*.*keyshift_first/);
    expect(found(await lab.run('runPreflight', first))).toEqual([]);
  });

  it.each([
    ['prepareParameters', second],
    ['createAccess', second],
    ['createPublications', { ...second, databases, mark: 'another' }],
    ['createSlots', { ...second, databases }],
  ] as const)('%s looks again, where the preflight was passed by', async (name, input) => {
    await expect(lab.run(name, input as never)).rejects.toMatchObject({
      type: 'NotOurs',
      message: expect.stringContaining(`Migration first-one is on ${INSTANCE} already`) as string,
    });
    await expect(roles()).resolves.toEqual(['keyshift_first_one']);
  });

  it('never lock out each other’s replication role; an application’s role of such a name they do; who can still log in is named', async () => {
    await lab.sql(INSTANCE, 'CREATE ROLE keyshift_shop LOGIN');
    const access = await accessTo(lab.dependencies, second, 'source');
    await withSession(access, { step: 'test', database: 'postgres' }, async (session) => {
      const fence = await planFence(session, second.id, access.credentials.username, databases, []);
      expect([...fence.roles, ...fence.unlockable]).toEqual(['keyshift_shop']);
      await expect(rolesLeftOpen(session, second.id, [])).resolves.toEqual(['keyshift_first_one', 'keyshift_shop']);
    });
  });

  it('what an ended one left behind has a way out', async () => {
    for (const database of databases) {
      await lab.sql(INSTANCE, `SELECT pg_drop_replication_slot('keyshift_first_one__${database}')`, database);
      await lab.sql(INSTANCE, 'DROP PUBLICATION keyshift_first_one', database);
      await lab.sql(INSTANCE, 'DROP SCHEMA keyshift_first_one CASCADE', database);
    }
    await lab.sql(INSTANCE, 'DROP ROLE keyshift_first_one');
    await lab.run('restoreParameters', { ...first, previousGroup: 'default.postgres16' });
    expect(found(await lab.run('runPreflight', second))).toEqual([]);
  });
});
