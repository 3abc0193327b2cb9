import { SAMPLE } from '../../local/app/names';
import type { World } from '../../local/world/world';
import type { Report } from '../../plan/report';
import { everything, serverListing, taggedAsOurs } from './support/listing';
import {
  approve,
  gateIsOpen,
  keyshift,
  MIGRATION,
  planFile,
  sample,
  signal,
  start,
  untilProgress,
} from './support/migration';
import { exportLog, useParameters } from './support/server-log';
import { asMaster, awsOf, control, inWorld } from './support/worlds';

/** What is left of a migration, in the account and in both servers. That of an abort: abort.test.ts. */

const FREE = { 'reboot-source': { approval: false }, cutover: { approval: false } };

interface Listing {
  readonly account: Readonly<Record<string, Record<string, readonly object[]>>>;
  readonly server: object;
}

const listing = async (world: World): Promise<Listing> => (await everything(world)) as Listing;

async function reportOf(world: World): Promise<Report> {
  const { stdout } = await keyshift(world, 'report', MIGRATION, '--json');
  return JSON.parse(stdout) as Report;
}

/** Names of what the report says stays, of those kinds that AWS knows. */
const staysInAccount = ({ stays }: Report): string[] =>
  stays.filter(({ what }) => ['target', 'parameter group', 'final snapshot'].includes(what)).map(({ name }) => name);

/** The kinds of things of the account's one region, without those of our migration that the report says stay. */
function without(names: readonly string[], { account }: Listing): object {
  const ofMigration = (one: object) => {
    const { id, name, instance, deleted } = one as { id?: string; name?: string; instance?: string; deleted?: boolean };
    const gone = deleted === true && name?.startsWith('keyshift-') === true;
    return gone || names.includes(id ?? name ?? instance ?? '');
  };
  return Object.fromEntries(
    Object.entries(account).map(([region, kinds]) => [
      region,
      Object.fromEntries(
        Object.entries(kinds).map(([kind, things]) => [
          kind,
          Array.isArray(things) ? things.filter((one) => !ofMigration(one as object)) : things,
        ]),
      ),
    ]),
  );
}

const logGroup = (instance: string): string => `/aws/rds/instance/${instance}/postgresql`;

/** What is ours in the databases and roles of a server, in words. */
const oursIn = (text: object): string[] => JSON.stringify(text).match(/"[^"]*keyshift[^"]*"/g) ?? [];

test('a rollback leaves the source as it was, and the target with nothing of ours in it', () =>
  inWorld('leftovers-rollback', async (world) => {
    await sample(world);
    const before = await listing(world);
    await world.startWorker();
    await start(world, planFile(world, { gates: FREE }));
    await untilProgress(world, 'the decommission gate is open', gateIsOpen('decommission'));
    await signal(world, 'rollback', { by: 'test', reason: 'the new one is slow' });
    const end = await untilProgress(world, 'it is rolled back', (progress) => {
      if (progress.gate?.name === 'undo-reboot') void approve(world, 'undo-reboot');
      return progress.status === 'rolled-back';
    });
    expect(end.undone.filter(({ ok }) => !ok)).toEqual([]);

    const report = await reportOf(world);
    const stays = staysInAccount(report);
    expect(stays).toContain(SAMPLE.encryptedInstance);
    const after = await listing(world);
    expect(after.server).toEqual(before.server);
    expect(without(stays, after)).toEqual(without([], before));
    expect((await taggedAsOurs(world)).filter((name) => !stays.includes(name))).toEqual([]);

    const target = await serverListing(world, SAMPLE.encryptedInstance);
    expect(oursIn(target)).toEqual([]);
    expect(target).toMatchObject({ shared: { slots: null, subscriptions: null } });
  }));

test('a finished migration leaves what the report says, and a target that has all that the source had', () =>
  inWorld('leftovers-finished', async (world) => {
    await sample(world);
    await useParameters(awsOf(world), SAMPLE.instance, 'with-logical', { 'rds.logical_replication': '1' });
    await exportLog(awsOf(world), SAMPLE.instance);
    await asMaster(world, SAMPLE.instance, 'shop', async (client) => {
      await client.query(`SELECT pg_create_logical_replication_slot('debezium', 'test_decoding')`);
    });
    const before = await listing(world);
    await world.startWorker();
    await start(
      world,
      planFile(world, {
        gates: FREE,
        carry: { slots: 'recreate' },
        keep: { encryptFinalSnapshot: true, logGroups: false },
      }),
    );
    const { gate } = await untilProgress(world, 'the decommission gate is open', gateIsOpen('decommission'));
    expect(gate?.findings).toContainEqual(
      expect.stringContaining('replication slot debezium of the source goes with it'),
    );
    expect(gate?.findings).toContainEqual(
      expect.stringMatching(
        /^old source app-db: about \d+\.\d\d USD a day \(db\.m6g\.large, Single-AZ, 100 GiB gp3, on demand\)$/,
      ),
    );
    expect(gate?.findings).toContain(`log group ${logGroup(SAMPLE.instance)} is deleted, with all that was logged`);
    await approve(world, 'decommission');
    await untilProgress(world, 'it is completed', ({ status }) => status === 'completed');

    const report = await reportOf(world);
    expect(report.slotsMoved).toMatchObject([{ slot: 'debezium', database: 'shop', plugin: 'test_decoding' }]);
    const stays = staysInAccount(report);
    expect(stays.sort()).toEqual([
      SAMPLE.encryptedInstance,
      `keyshift-${MIGRATION}-final-encrypted`,
      `keyshift-${MIGRATION}-logical`,
    ]);
    await expect(taggedAsOurs(world)).resolves.toEqual(stays);
    const account = (await control(world, 'GET', 'listing')) as Listing['account'];
    // The endpoint that the applications ask for is the target's now: that is what it was for.
    const same = (names: readonly string[], one: Listing['account']) => {
      const text = JSON.stringify(without([SAMPLE.endpointParameter, ...names], { account: one, server: {} }));
      return JSON.parse(text) as object;
    };
    expect(report.stays).toContainEqual(
      expect.objectContaining({ what: 'automated backups', name: SAMPLE.instance }) as object,
    );
    expect(same([...stays, SAMPLE.instance, logGroup(SAMPLE.encryptedInstance)], account)).toEqual(
      same([SAMPLE.instance, logGroup(SAMPLE.instance)], before.account),
    );
    expect(await serverListing(world, SAMPLE.encryptedInstance)).toEqual(before.server);
  }));
