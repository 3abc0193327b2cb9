import { randomUUID } from 'node:crypto';
import { ChangeResourceRecordSetsCommand, CreateHostedZoneCommand } from '@aws-sdk/client-route-53';
import { RegisterDBProxyTargetsCommand } from '@aws-sdk/client-rds';
import { CreateSecretCommand, GetSecretValueCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { GetParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import type { MigrationRef } from '../../../../activities/dependencies';
import { awsClients } from '../../../../worker/aws-clients';
import type { ReadySwitchPlace } from '../../../../activities/traffic/traffic-switch';
import { createProxy } from '../../../support/rds-proxy';
import { until } from '../../../support/stand-in';
import { SwitchLab } from '../../../support/switch-lab';

/** As on AWS, two instances differ by name; in the embedded AWS they may have one and differ by port. */
const [OLD, NEW] = ['old.rds.amazonaws.com', 'new.rds.amazonaws.com'] as const;
const SECRET = 'app-database';
const PARAMETER = '/app/database';

let lab: SwitchLab;
let zone: string;

const fault = (operation: string, kind: string, more: object = {}) =>
  lab.lab.standIn.control('POST', 'faults', { operation, kind, ...more });
const refusals = (operation: string, code: string) =>
  fault(operation, 'error', { code, status: 400, skip: 1, times: 3 });

beforeAll(async () => {
  lab = await SwitchLab.open();
  const { ssm, secrets, route53, rds } = lab.lab.aws();
  const { address, port } = lab.source;
  await ssm.send(new PutParameterCommand({ Name: PARAMETER, Type: 'String', Value: `${address}:${port}` }));
  const SecretString = JSON.stringify({ host: address, port, username: 'app', password: 'first' });
  await secrets.send(new CreateSecretCommand({ Name: SECRET, SecretString }));
  const { HostedZone } = await route53.send(
    new CreateHostedZoneCommand({ Name: 'shop.internal', CallerReference: randomUUID() }),
  );
  zone = HostedZone?.Id?.replace('/hostedzone/', '') ?? '';
  const record = { Name: 'db.shop.internal', Type: 'CNAME' as const, TTL: 30, ResourceRecords: [{ Value: OLD }] };
  const Changes = [{ Action: 'UPSERT' as const, ResourceRecordSet: record }];
  await route53.send(new ChangeResourceRecordSetsCommand({ HostedZoneId: zone, ChangeBatch: { Changes } }));
  await createProxy(lab.lab, 'shop');
  await rds.send(new RegisterDBProxyTargetsCommand({ DBProxyName: 'shop', DBInstanceIdentifiers: ['app-db'] }));
});
afterEach(() => lab.lab.standIn.control('DELETE', 'faults'));
afterAll(() => lab?.close());

/** A kind of switch, the call that decides, and what the store answers who asks twice. */
const KINDS = [
  { type: 'ssm-parameter', operation: 'PutParameter', refused: 'ValidationException' },
  { type: 'secrets-manager', operation: 'PutSecretValue', refused: 'ResourceExistsException' },
  { type: 'route53', operation: 'ChangeResourceRecordSets', refused: 'InvalidChangeBatch' },
  { type: 'rds-proxy', operation: 'DeregisterDBProxyTargets', refused: 'InvalidDBProxyStateFault' },
] as const;
type Kind = (typeof KINDS)[number]['type'];

function placeOf(type: Kind, direction: 'there' | 'back'): ReadySwitchPlace {
  const entries = {
    'ssm-parameter': { type: 'ssm-parameter', name: PARAMETER },
    'secrets-manager': { type: 'secrets-manager', secret: SECRET },
    route53: { type: 'route53', hostedZoneId: zone, name: 'db.shop.internal' },
    'rds-proxy': { type: 'rds-proxy', proxy: 'shop' },
  } as const;
  const place = lab.place(lab.ref([entries[type]]), direction);
  if (type !== 'route53') return place;
  const [from, to] = direction === 'there' ? [OLD, NEW] : [NEW, OLD];
  return { ...place, from: { address: from, port: 5432 }, to: { address: to, port: 5432 } };
}

/** There and back again, each with a fault: where the switch ends is what counts. */
describe.each(KINDS)('$type', ({ type, operation, refused }) => {
  async function bothWays(withFault: () => Promise<unknown>): Promise<void> {
    for (const direction of ['there', 'back'] as const) {
      const place = placeOf(type, direction);
      const prepared = await lab.prepare(place);
      await withFault();
      await expect(prepared.apply({ mayGoOn: () => undefined })).resolves.toBeUndefined();
      // One that takes effect after the next switch would be somebody else's write there.
      await until('no effect is still to come', async () =>
        ((await lab.lab.standIn.control('GET', 'faults')) as { pending: number }[]).every(
          ({ pending }) => pending === 0,
        ),
      );
      await lab.lab.standIn.control('DELETE', 'faults');
      await expect(lab.look(place)).resolves.toMatchObject({ pointsAt: 'to' });
    }
  }

  it('is switched where the answer gets lost', () => bothWays(() => fault(operation, 'drop-after')));

  it('is switched where the call errs, and takes effect later', () =>
    bothWays(() => fault(operation, 'late', { delayMs: 1_000, code: 'InternalFailure', status: 500 })));

  it('is switched where the first try takes effect late, and the next ones are refused', () =>
    bothWays(async () => {
      await fault(operation, 'late', { delayMs: 1_500 });
      await refusals(operation, refused);
    }));

  it('is not switched, for sure, where the first try is refused', async () => {
    const prepared = await lab.prepare(placeOf(type, 'there'));
    await fault(operation, 'error', { code: refused, status: 400, times: 5 });
    await expect(prepared.apply({ mayGoOn: () => undefined })).rejects.toMatchObject({ name: 'SwitchRefused' });
    await expect(lab.look(placeOf(type, 'there'))).resolves.toMatchObject({ pointsAt: 'from' });
    const [hit] = (await lab.lab.standIn.control('GET', 'faults')) as [{ hits: number }];
    // The SDK sent nothing by itself.
    expect(hit.hits).toBe(1);
  });
});

describe('a value that somebody changes at the same time', () => {
  const ref = (entry: object): MigrationRef => lab.ref([entry as never]);
  const secret = async () => {
    const found = await lab.lab.aws().secrets.send(new GetSecretValueCommand({ SecretId: SECRET }));
    return JSON.parse(found.SecretString ?? '') as { host: string; port: number; password: string };
  };
  const rotate = async (password: string) => {
    const SecretString = JSON.stringify({ ...(await secret()), password });
    await lab.lab.aws().secrets.send(new PutSecretValueCommand({ SecretId: SECRET, SecretString }));
  };
  const parameter = async () =>
    (await lab.lab.aws().ssm.send(new GetParameterCommand({ Name: PARAMETER }))).Parameter?.Value ?? '';
  const write = (Value: string) =>
    lab.lab.aws().ssm.send(new PutParameterCommand({ Name: PARAMETER, Value, Overwrite: true }));
  const inTime = { abortSignal: new AbortController().signal };
  const there = ({ address, port }: { address: string; port: number }) => ({ host: address, port });

  it('keeps a secret that was rotated after it was prepared', async () => {
    const prepared = await lab.prepare(lab.place(ref({ type: 'secrets-manager', secret: SECRET })));
    await rotate('second');
    await prepared.lookAgain?.(inTime);
    await prepared.apply();
    await expect(secret()).resolves.toMatchObject({ ...there(lab.target), password: 'second' });
    await lab.switch(lab.place(ref({ type: 'secrets-manager', secret: SECRET }), 'back'));
    await expect(secret()).resolves.toMatchObject({ ...there(lab.source), password: 'second' });
  });

  it('keeps a secret that is rotated between our read and our write', async () => {
    const prepared = await lab.prepare(lab.place(ref({ type: 'secrets-manager', secret: SECRET })));
    await rotate('third');
    await prepared.apply();
    await expect(secret()).resolves.toMatchObject({ ...there(lab.target), password: 'third' });
    await lab.switch(lab.place(ref({ type: 'secrets-manager', secret: SECRET }), 'back'));
  });

  it('keeps a secret that is rotated right before a write whose answer gets lost', async () => {
    const prepared = await lab.prepare(lab.place(ref({ type: 'secrets-manager', secret: SECRET })));
    await rotate('fourth');
    await fault('PutSecretValue', 'drop-after');
    await prepared.apply({ mayGoOn: () => undefined });
    await expect(secret()).resolves.toMatchObject({ ...there(lab.target), password: 'fourth' });
    await lab.switch(lab.place(ref({ type: 'secrets-manager', secret: SECRET }), 'back'));
  });

  it('keeps what is written into a parameter between our read and our write', async () => {
    const { address, port } = lab.source;
    await write(`host=${address} port=${port} options=a`);
    const prepared = await lab.prepare(lab.place(ref({ type: 'ssm-parameter', name: PARAMETER })));
    await write(`host=${address} port=${port} options=b`);
    await prepared.apply();
    await expect(parameter()).resolves.toBe(`host=${lab.target.address} port=${lab.target.port} options=b`);
    await write(`${address}:${port}`);
  });

  it('refuses a value that names neither side any more, before anything is written', async () => {
    const prepared = await lab.prepare(lab.place(ref({ type: 'ssm-parameter', name: PARAMETER })));
    await write('elsewhere.example.com:5432');
    await expect(prepared.lookAgain?.(inTime)).rejects.toMatchObject({ type: 'TrafficRefused' });
    await expect(parameter()).resolves.toBe('elsewhere.example.com:5432');
  });
});

it('waits for no answer of AWS for ever: the SDK by itself only warns', async () => {
  const { region, endpoint } = lab.lab.standIn.settings();
  const before = process.env['AWS_ENDPOINT_URL'];
  process.env['AWS_ENDPOINT_URL'] = endpoint;
  const { ssm } = awsClients(region)(undefined);
  if (before === undefined) delete process.env['AWS_ENDPOINT_URL'];
  else process.env['AWS_ENDPOINT_URL'] = before;
  const handler = ssm.config.requestHandler as unknown as {
    configProvider: Promise<{ throwOnRequestTimeout?: boolean }>;
  };
  await expect(handler.configProvider).resolves.toMatchObject({ throwOnRequestTimeout: true });
  ssm.destroy();
});
