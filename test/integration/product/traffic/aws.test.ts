import { CreateKeyCommand } from '@aws-sdk/client-kms';
import {
  ChangeResourceRecordSetsCommand,
  CreateHostedZoneCommand,
  ListResourceRecordSetsCommand,
  type ResourceRecordSet,
} from '@aws-sdk/client-route-53';
import {
  DeregisterDBProxyTargetsCommand,
  DescribeDBProxyTargetsCommand,
  RebootDBInstanceCommand,
  RegisterDBProxyTargetsCommand,
} from '@aws-sdk/client-rds';
import { CreateSecretCommand, GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import {
  DescribeParametersCommand,
  GetParameterCommand,
  GetParameterHistoryCommand,
  PutParameterCommand,
} from '@aws-sdk/client-ssm';
import { randomUUID } from 'node:crypto';
import type { ReadySwitchPlace } from '../../../../activities/traffic/traffic-switch';
import { createProxy } from '../../../support/rds-proxy';
import { SwitchLab } from '../../../support/switch-lab';

let lab: SwitchLab;

beforeAll(async () => {
  lab = await SwitchLab.open();
});
afterAll(() => lab?.close());

describe('a CNAME record', () => {
  /** As on AWS, where two instances differ by name and not by port; here they differ by port. */
  const [OLD, NEW] = ['app-db', 'app-db-encrypted'].map((name) => `${name}.abc.eu-central-1.rds.amazonaws.com`) as [
    string,
    string,
  ];
  const NAME = 'db.shop.internal';
  let zone: string;
  const dns = () => lab.lab.aws().route53;

  const upsert = (set: Partial<ResourceRecordSet>) =>
    dns().send(
      new ChangeResourceRecordSetsCommand({
        HostedZoneId: zone,
        ChangeBatch: {
          Changes: [
            {
              Action: 'UPSERT',
              ResourceRecordSet: {
                Name: NAME,
                Type: 'CNAME',
                TTL: 30,
                ResourceRecords: [{ Value: OLD }],
                ...set,
              },
            },
          ],
        },
      }),
    );
  const records = async () => {
    const { ResourceRecordSets } = await dns().send(new ListResourceRecordSetsCommand({ HostedZoneId: zone }));
    return (ResourceRecordSets ?? []).filter(({ Type }) => Type === 'CNAME');
  };
  const place = (more: object = {}, direction: 'there' | 'back' = 'there'): ReadySwitchPlace => {
    const ref = lab.ref([{ type: 'route53', hostedZoneId: zone, name: NAME, ...more }]);
    const [from, to] = direction === 'there' ? [OLD, NEW] : [NEW, OLD];
    return { ...lab.place(ref, direction), from: { address: from, port: 5432 }, to: { address: to, port: 5432 } };
  };
  const red = async (at: ReadySwitchPlace) => (await lab.look(at)).red.join('\n');

  /** Runs the command that the look gives against a long TTL. */
  async function runRemedy(at: ReadySwitchPlace): Promise<void> {
    const tooLong = await red(at);
    expect(tooLong).toContain('a TTL of 3600 s, the plan allows 60 s');
    const [, batch] = /--change-batch '(.*?)'/.exec(tooLong) ?? [];
    const change = { HostedZoneId: zone, ChangeBatch: JSON.parse(batch ?? '') as never };
    await dns().send(new ChangeResourceRecordSetsCommand(change));
  }

  beforeEach(async () => {
    const { HostedZone } = await dns().send(
      new CreateHostedZoneCommand({ Name: 'shop.internal', CallerReference: randomUUID() }),
    );
    zone = HostedZone?.Id?.replace('/hostedzone/', '') ?? '';
  });

  it('names the other side afterwards, and the first one again after the way back', async () => {
    await upsert({});
    await expect(lab.look(place())).resolves.toMatchObject({ pointsAt: 'from', red: [] });
    await expect(lab.switch(place())).resolves.toMatchObject({ done: false, from: OLD, to: NEW });
    await expect(records()).resolves.toMatchObject([{ TTL: 30, ResourceRecords: [{ Value: NEW }] }]);
    await expect(lab.look(place())).resolves.toMatchObject({ pointsAt: 'to' });
    await expect(lab.switch(place())).resolves.toMatchObject({ done: true });
    await lab.switch(place({}, 'back'));
    await expect(records()).resolves.toMatchObject([{ ResourceRecords: [{ Value: OLD }] }]);
  });

  it('keeps its weight, its TTL and its health check; the others of its name stay', async () => {
    const other = { SetIdentifier: 'other', Weight: 0 };
    await upsert(other);
    const HealthCheckId = randomUUID();
    await upsert({
      SetIdentifier: 'main',
      Weight: 255,
      TTL: 30,
      HealthCheckId,
      ResourceRecords: [{ Value: `${OLD.toUpperCase()}.` }],
    });
    await expect(red(place())).resolves.toContain('set identifiers: main, other');
    const main = place({ setIdentifier: 'main' });
    await expect(lab.look(main)).resolves.toMatchObject({ pointsAt: 'from', red: [] });
    await lab.switch(main);
    await expect(records()).resolves.toMatchObject([
      { SetIdentifier: 'main', Weight: 255, TTL: 30, HealthCheckId, ResourceRecords: [{ Value: NEW }] },
      { ...other, ResourceRecords: [{ Value: OLD }] },
    ]);
  });

  it('is red where applications would stay on the old side', async () => {
    await expect(red(place())).resolves.toContain('There is no record');
    await expect(red(place({ hostedZoneId: 'Z0000' }))).resolves.toContain('There is no hosted zone');
    await upsert({ TTL: 3_600 });
    await runRemedy(place());
    await expect(red(place())).resolves.toBe('');
    await expect(red({ ...place(), to: { address: NEW, port: 6543 } })).resolves.toContain('DNS has no ports');
    await upsert({ ResourceRecords: [{ Value: 'elsewhere.example.com' }] });
    await expect(red(place())).resolves.toContain('elsewhere.example.com');
    await expect(lab.prepare(place())).rejects.toMatchObject({ type: 'TrafficRefused' });
  });

  it('is red where other weighted records would still name the source, unless they are switched, too', async () => {
    for (const SetIdentifier of ['a', 'b']) await upsert({ SetIdentifier, Weight: 1, TTL: 3_600 });
    await runRemedy(place({ setIdentifier: 'a' }));
    const a = { type: 'route53', hostedZoneId: zone, name: NAME, setIdentifier: 'a' } as const;
    const at = (ref: ReturnType<typeof lab.ref>) => ({ ...place(), ref });
    await expect(red(at(lab.ref([a])))).resolves.toContain('b of the same name');
    await expect(red(at(lab.ref([a, { ...a, setIdentifier: 'b' }])))).resolves.toBe('');
  });

  it('is not switched by a change that Route 53 refuses', async () => {
    await upsert({});
    const prepared = await lab.prepare(place());
    await lab.lab.standIn.control('POST', 'faults', {
      operation: 'ChangeResourceRecordSets',
      kind: 'error',
      code: 'PriorRequestNotComplete',
      status: 400,
      times: 10,
    });
    await expect(prepared.apply()).rejects.toMatchObject({ name: 'SwitchRefused' });
    await expect(lab.look(place())).resolves.toMatchObject({ pointsAt: 'from' });
    await lab.lab.standIn.control('DELETE', 'faults');
  });
});

describe('an RDS Proxy', () => {
  const proxy = 'shop';
  const targets = async () => {
    const { Targets } = await lab.lab.aws().rds.send(new DescribeDBProxyTargetsCommand({ DBProxyName: proxy }));
    return Targets?.map(({ RdsResourceId }) => RdsResourceId);
  };
  const ref = (fence: 'sql' | 'rds-proxy' = 'sql') =>
    lab.ref([{ type: 'rds-proxy', proxy }], { fence: [fence === 'sql' ? { type: 'sql' } : { type: fence, proxy }] });

  beforeAll(async () => {
    await createProxy(lab.lab, proxy);
    const { rds } = lab.lab.aws();
    await rds.send(new RegisterDBProxyTargetsCommand({ DBProxyName: proxy, DBInstanceIdentifiers: ['app-db'] }));
  });

  it('stands before the other instance afterwards, and before the first one again after the way back', async () => {
    const place = lab.place(ref());
    const look = await lab.look(place);
    expect(look).toMatchObject({ pointsAt: 'from', red: [] });
    expect(look.findings.join('\n')).toContain('proxy-user');
    await lab.switch(place);
    await expect(targets()).resolves.toEqual(['app-db-encrypted']);
    await expect(lab.look(place)).resolves.toMatchObject({ pointsAt: 'to' });
    await expect(lab.switch(place)).resolves.toMatchObject({ done: true });
    await lab.switch(lab.place(ref(), 'back'));
    await expect(targets()).resolves.toEqual(['app-db']);
  });

  it('goes on where an attempt ended between the two calls; where a fence empties the group, that says nothing', async () => {
    const { rds } = lab.lab.aws();
    await rds.send(new DeregisterDBProxyTargetsCommand({ DBProxyName: proxy, DBInstanceIdentifiers: ['app-db'] }));
    await expect(lab.look(lab.place(ref('rds-proxy')))).resolves.toMatchObject({ pointsAt: 'held' });
    const place = lab.place(ref());
    await expect(lab.look(place)).resolves.toMatchObject({ pointsAt: 'to' });
    await expect(lab.switch(place)).resolves.toMatchObject({ done: true });
    await expect(targets()).resolves.toEqual(['app-db-encrypted']);
    await lab.switch(lab.place(ref(), 'back'));
  });

  it('keeps the source as long as RDS would not take the target', async () => {
    const { rds } = lab.lab.aws();
    const { standIn } = lab.lab;
    const place = lab.place(ref());
    const prepared = await lab.prepare(place);
    await standIn.control('POST', 'faults', { operation: 'RebootDBInstance', kind: 'stall' });
    await rds.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: 'app-db-encrypted' }));
    const unfit = 'app-db-encrypted is rebooting, and an RDS Proxy takes instances only that are available';
    await expect(lab.look(place)).resolves.toMatchObject({ red: [expect.stringContaining(unfit)] });
    let looks = 0;
    const mayGoOn = () => {
      looks += 1;
      if (looks > 2) throw new Error('the budget is over');
    };
    await expect(prepared.apply({ mayGoOn })).rejects.toMatchObject({
      name: 'SwitchRefused',
      message: expect.stringContaining(unfit) as string,
    });
    await expect(targets()).resolves.toEqual(['app-db']);
    // Within the budget it waits.
    await prepared.apply({
      mayGoOn: () => {
        if (looks > 0) void standIn.control('DELETE', 'faults');
        looks = 0;
      },
    });
    await expect(targets()).resolves.toEqual(['app-db-encrypted']);
    await lab.switch(lab.place(ref(), 'back'));
  });

  it('is red where there is none, and refused where it stands before something else', async () => {
    const gone = lab.place(lab.ref([{ type: 'rds-proxy', proxy: 'gone' }]));
    await expect(lab.look(gone)).resolves.toMatchObject({ red: [expect.stringContaining('There is no RDS Proxy')] });
    const stranger = lab.ref([{ type: 'rds-proxy', proxy }]);
    const plan = { ...stranger.plan, source: { ...stranger.plan.source, instance: 'other-db' } };
    await expect(lab.prepare(lab.place({ ...stranger, plan }))).rejects.toMatchObject({ type: 'TrafficRefused' });
  });
});

describe('a parameter', () => {
  const Name = '/shop/url';
  const url = ({ address, port }: typeof lab.source) => `postgres://app:secret@${address}:${port}/shop`;

  it('keeps its key, its tier and all else that AWS resets when it is overwritten without', async () => {
    const { ssm } = lab.lab.aws();
    const properties = {
      Type: 'SecureString',
      KeyId: lab.lab.keyArn,
      Tier: 'Advanced',
      AllowedPattern: '^postgres://.*$',
      Description: 'where the shop is',
    } as const;
    const Policies = JSON.stringify([
      { Type: 'NoChangeNotification', Version: '1.0', Attributes: { After: '20', Unit: 'Days' } },
    ]);
    const shown = async () => {
      const ParameterFilters = [{ Key: 'Name', Option: 'Equals', Values: [Name] }];
      return (await ssm.send(new DescribeParametersCommand({ ParameterFilters }))).Parameters?.[0];
    };
    const read = async () =>
      (await ssm.send(new GetParameterCommand({ Name, WithDecryption: true }))).Parameter?.Value ?? '';
    await ssm.send(new PutParameterCommand({ ...properties, Policies, Name, Value: url(lab.source) }));
    const ref = lab.ref([{ type: 'ssm-parameter', name: Name }]);
    await lab.switch(lab.place(ref));
    expect(await read()).toBe(url(lab.target));
    expect(await shown()).toMatchObject({ ...properties, Version: 2 });
    await lab.switch(lab.place(ref, 'back'));
    expect(await read()).toBe(url(lab.source));
    expect(await shown()).toMatchObject({ ...properties, Version: 3 });
    expect((await shown())?.Policies).toMatchObject([{ PolicyType: 'NoChangeNotification' }]);
  });

  it('keeps the key that somebody gave it after the switch was prepared', async () => {
    const { ssm, kms } = lab.lab.aws();
    const KeyId = (await kms.send(new CreateKeyCommand({}))).KeyMetadata?.Arn ?? '';
    const secure = { Name: '/shop/re-keyed', Type: 'SecureString', Value: url(lab.source) } as const;
    await ssm.send(new PutParameterCommand({ ...secure, KeyId: lab.lab.keyArn }));
    const prepared = await lab.prepare(lab.place(lab.ref([{ type: 'ssm-parameter', name: secure.Name }])));
    await ssm.send(new PutParameterCommand({ ...secure, KeyId, Overwrite: true }));
    await prepared.lookAgain?.({ abortSignal: AbortSignal.timeout(30_000) });
    await prepared.apply();
    const { Parameters } = await ssm.send(new GetParameterHistoryCommand({ Name: secure.Name }));
    expect(Parameters?.at(-1)).toMatchObject({ Version: 3, KeyId });
  });

  it('is encrypted under another key by whoever overwrites it without', async () => {
    const { ssm } = lab.lab.aws();
    const secure = { Name: '/shop/forgotten', Type: 'SecureString', Value: 'x' } as const;
    await ssm.send(new PutParameterCommand({ ...secure, KeyId: lab.lab.keyArn }));
    await ssm.send(new PutParameterCommand({ ...secure, Overwrite: true }));
    const { Parameters } = await ssm.send(new GetParameterHistoryCommand({ Name: secure.Name }));
    expect(Parameters?.at(-1)).toMatchObject({ KeyId: 'alias/aws/ssm' });
  });
});

describe('a secret as RDS rotates it', () => {
  it('names the other instance afterwards, and the first one again after the way back', async () => {
    const { secrets } = lab.lab.aws();
    const value = ({ address, port }: typeof lab.source, dbInstanceIdentifier: string) => ({
      engine: 'postgres',
      host: address,
      port,
      username: 'app',
      password: `a "${address}" in it`,
      dbname: 'shop',
      dbInstanceIdentifier,
    });
    const read = async () =>
      JSON.parse((await secrets.send(new GetSecretValueCommand({ SecretId: 'rotated' }))).SecretString ?? '') as object;
    const before = value(lab.source, 'app-db');
    await secrets.send(new CreateSecretCommand({ Name: 'rotated', SecretString: JSON.stringify(before) }));
    const ref = lab.ref([{ type: 'secrets-manager', secret: 'rotated' }]);
    await lab.switch(lab.place(ref));
    await expect(read()).resolves.toMatchObject({
      engine: 'postgres',
      host: lab.target.address,
      port: lab.target.port,
      dbInstanceIdentifier: 'app-db-encrypted',
    });
    await lab.switch(lab.place(ref, 'back'));
    await expect(read()).resolves.toEqual(before);
  });
});
