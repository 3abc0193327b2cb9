import { type AddressInfo, createServer, type Server } from 'node:net';
import { CreateDBInstanceCommand } from '@aws-sdk/client-rds';
import { TagResourceCommand } from '@aws-sdk/client-secrets-manager';
import { openConsole } from '../../../../activities/poolers/console';
import { accessTo } from '../../../../activities/postgres/session';
import { openEndpoint } from '../../../../activities/webhooks/endpoint';
import type { Check } from '../../../../plan/checks';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { SMALLEST_PLAN } from '../../../support/plan';
import { MASTER } from '../../../support/stand-in';

/** A server of somebody's own, in the place of PgBouncer: it asks for the password in clear text. */
let listener: Server;
let heard = '';
let connections = 0;
let lab: ActivityLab;

const SECRET = 'another-database-master';
const PASSWORD = 'the-crown-jewels';

beforeAll(async () => {
  listener = createServer((socket) => {
    connections += 1;
    let asked = false;
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => {
      heard += data.toString('latin1');
      if (asked) return void socket.end();
      asked = true;
      socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]));
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  lab = await ActivityLab.open('16');
  await lab.secret(SECRET, 'postgres', PASSWORD);
});
beforeEach(() => {
  heard = '';
  connections = 0;
});
afterAll(async () => {
  listener?.close();
  await lab?.close();
});

const pooler = (secret: string, tls: 'off' | 'verify' = 'off') => {
  const { port } = listener.address() as AddressInfo;
  return { host: '127.0.0.1', port, secret, tls };
};
const refWith = (secret: string) =>
  migrationRef({ ...SMALLEST_PLAN, cutover: { poolers: [pooler(secret)], fence: [{ type: 'pgbouncer' }] } });
const fenceOf = ({ checks }: { readonly checks: readonly Check[] }) => checks.filter(({ code }) => code === 'fence');

describe('a plan that names a pooler of somebody’s own', () => {
  it('gets no secret that nobody released for poolers', async () => {
    const [check] = fenceOf(await lab.run('runPreflight', refWith(SECRET)));
    expect(check).toMatchObject({
      level: 'block',
      message: expect.stringContaining('is not released for the use "pooler"') as string,
    });
    expect(connections).toBe(0);
  });

  it('gets no password in clear text, whatever the secret is released for', async () => {
    await lab.secret('a-pooler-admin', 'admin', PASSWORD, 'pooler');
    const [check] = fenceOf(await lab.run('runPreflight', refWith('a-pooler-admin')));
    expect(check).toMatchObject({
      level: 'block',
      message: expect.stringContaining('by clear text; nothing was sent') as string,
    });
    expect(connections).toBeGreaterThan(0);
    expect(heard).not.toContain(PASSWORD);
  });

  it('gets no secret that is for another host', async () => {
    await lab.value(
      'for-another',
      JSON.stringify({ username: 'a', password: PASSWORD, host: 'pooler.internal' }),
      'pooler',
    );
    await expect(
      openConsole(lab.dependencies, refWith('for-another'), pooler('for-another', 'verify')),
    ).rejects.toMatchObject({
      type: 'AccessDenied',
      message: expect.stringContaining('is for another host than 127.0.0.1') as string,
    });
    expect(connections).toBe(0);
  });

  it('may use what the configuration of the worker lists', async () => {
    const deps = { ...lab.dependencies, releasedSecrets: { pooler: [SECRET] } };
    await expect(openConsole(deps, refWith(SECRET), pooler(SECRET))).rejects.toThrow('nothing was sent');
    expect(connections).toBe(1);
  });
});

describe('a webhook', () => {
  const hook = (secret: string) => ({ url: 'https://somebody.example/', secret, timeoutMs: 1_000 });

  it('is signed with no secret that is released for something else, or for nothing', async () => {
    await lab.secret('for-poolers', 'admin', PASSWORD, 'pooler');
    for (const secret of [SECRET, 'for-poolers']) {
      await expect(openEndpoint(lab.dependencies, refWith(SECRET), hook(secret))).rejects.toMatchObject({
        type: 'AccessDenied',
        message: expect.stringContaining(
          `tag-resource --secret-id ${secret} --tags Key=keyshift:use,Value=webhook`,
        ) as string,
      });
    }
  });

  it('may share a secret that is released for both', async () => {
    await lab.value('for-both', 'a key');
    const Tags = [{ Key: 'keyshift:use', Value: 'pooler webhook' }];
    await lab.aws().secrets.send(new TagResourceCommand({ SecretId: 'for-both', Tags }));
    await expect(openEndpoint(lab.dependencies, refWith(SECRET), hook('for-both'))).resolves.toBeDefined();
  });
});

describe('the secret of the source', () => {
  it('is that instance’s own, where RDS manages it', async () => {
    const managed = { Engine: 'postgres', EngineVersion: '16', DBInstanceClass: 'db.m6g.large', AllocatedStorage: 20 };
    const { MasterUserPassword: _given, ...master } = MASTER;
    for (const DBInstanceIdentifier of ['billing-db', 'other-db']) {
      const input = { ...managed, ...master, DBInstanceIdentifier, ManageMasterUserPassword: true };
      await lab.aws().rds.send(new CreateDBInstanceCommand(input));
    }
    for (const instance of ['billing-db', 'other-db']) await lab.standIn.untilInstance(instance);
    const arn = (await lab.standIn.instance('billing-db')).MasterUserSecret?.SecretArn ?? '';
    const name = arn.slice(0, -7).split(':').at(-1) ?? '';
    const access = (instance: string, secret: string) =>
      accessTo(lab.dependencies, migrationRef({ ...SMALLEST_PLAN, source: { instance, secret } }), 'source');
    for (const secret of [arn, arn.slice(0, -7), name]) {
      await expect(access('billing-db', secret)).resolves.toMatchObject({
        credentials: { username: MASTER.MasterUsername },
      });
      for (const another of ['other-db', SMALLEST_PLAN.source.instance]) {
        await expect(access(another, secret)).rejects.toMatchObject({ type: 'AccessDenied' });
      }
    }
  });
});
