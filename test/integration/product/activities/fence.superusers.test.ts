import { Client } from 'pg';
import { PauseGivenUp } from '../../../../activities/cutover/cut-over-input';
import { endForeignSessions } from '../../../../activities/cutover/drain';
import { foreignSessions, terminateForeignSessions, unendableOf } from '../../../../activities/cutover/fence';
import { checkFence } from '../../../../activities/preflight/check-fence';
import { endProcesses } from '../../../../activities/postgres/end-sessions';
import { waitFor } from '../../../../local/world/wait-for';
import { parsedPlan, SMALLEST_PLAN } from '../../../support/plan';
import { BareServer } from '../../../support/postgres';

const SPARED = { migration: 'fenced', roles: ['master'] };
const ACCESS = {
  migration: 'fenced',
  endpoint: { address: '127.0.0.1', port: 0 },
  credentials: { username: 'master', password: '' },
  rdsCaBundle: '',
};
let server: BareServer;
let master: Client;
const opened: Client[] = [];

async function connect(user: string): Promise<Client> {
  const client = new Client({ ...server.address, user, database: 'postgres', application_name: `${user}-app` });
  client.on('error', () => undefined);
  await client.connect();
  opened.push(client);
  return client;
}

const users = async (): Promise<string[]> => (await foreignSessions(master, SPARED)).map(({ user }) => user);

beforeAll(async () => {
  server = await BareServer.asRds(16);
  await server.server.withSession((client) =>
    client.query(
      'CREATE ROLE app LOGIN; CREATE ROLE weak LOGIN IN ROLE pg_monitor; CREATE ROLE monitor SUPERUSER LOGIN',
    ),
  );
  master = await connect('master');
});
afterAll(async () => {
  for (const client of opened) await client.end().catch(() => undefined);
  await server?.remove();
});

describe('a session of a superuser that is none of RDS', () => {
  beforeAll(() => connect('monitor'));

  it('keeps no other session from being ended, in one round trip', async () => {
    await connect('app');
    await connect('app');
    const asked = jest.spyOn(master, 'query');
    const there = await terminateForeignSessions(master, SPARED);
    expect(asked).toHaveBeenCalledTimes(1);
    asked.mockRestore();
    expect(there.map(({ user, unendable }) => `${user} ${unendable}`).sort()).toEqual([
      'app false',
      'app false',
      'monitor true',
    ]);
    await waitFor('the others are gone', async () => (await users()).join() === 'monitor');
  });

  it('is named by the pause that is given up, after a second', async () => {
    const ended = endForeignSessions(master, SPARED, () => undefined);
    await expect(ended).rejects.toThrow(PauseGivenUp);
    await expect(ended).rejects.toThrow(
      /only a superuser can end: monitor \(monitor-app, from 127\.0\.0\.1.*cutover\.spareRoles/,
    );
  });

  it('is on the board and blocks the preflight before, until the role is spared', async () => {
    expect(unendableOf(await foreignSessions(master, SPARED))).toEqual([
      expect.stringMatching(/can't end sessions of superusers.*monitor \(monitor-app, pid \d+\)/),
    ]);
    const look = (spareRoles: string[]) =>
      checkFence(master, ACCESS, parsedPlan({ ...SMALLEST_PLAN, cutover: { spareRoles } }), ['postgres']);
    const found = await look(['app', 'weak']);
    expect(found).toMatchObject([
      {
        code: 'fence-roles',
        level: 'block',
        message: expect.stringMatching(/^monitor: a superuser .*connected now: 1/) as string,
      },
    ]);
    expect(found[0]?.remedy).not.toContain('GRANT');
    expect((await look(['app', 'weak', 'monitor'])).filter(({ level }) => level === 'block')).toEqual([]);
  });

  it('is left alone where readers of slots are ended', async () => {
    const [one] = await foreignSessions(master, SPARED);
    await endProcesses(master, [one?.pid ?? 0]);
    await expect(users()).resolves.toEqual(['monitor']);
  });
});

it('ends one by one whom it may, where PostgreSQL refuses the statement', async () => {
  await connect('app');
  await connect('weak');
  const weak = await connect('weak');
  const there = await terminateForeignSessions(weak, { migration: 'fenced', roles: ['master', 'monitor'] });
  expect(there.map(({ user, unendable }) => `${user} ${unendable}`).sort()).toEqual(['app true', 'weak false']);
});
