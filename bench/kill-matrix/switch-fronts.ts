import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DescribeDBProxiesCommand, ModifyDBInstanceCommand } from '@aws-sdk/client-rds';
import {
  ChangeResourceRecordSetsCommand,
  CreateHostedZoneCommand,
  ListResourceRecordSetsCommand,
} from '@aws-sdk/client-route-53';
import { CreateSecretCommand, GetSecretValueCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { deregisterTarget, proxyTargets, registerTarget } from '../../activities/rds/proxy-targets';
import type { EndpointSource } from '../../local/app/endpoint';
import type { PlanInput } from '../../plan/plan';
import { createProxy } from '../../test/support/rds-proxy';
import { until } from '../../test/support/stand-in';
import { PARAMETER, type PreparedPair } from '../cutover/prepared-pair';
import { type Front, parameterFront, poolerFront } from './front';

export const SWITCH_KINDS = [
  'ssm-parameter',
  'secrets-manager',
  'route53',
  'rds-proxy',
  'pgbouncer',
  'webhook',
  'manual',
  'rds-rename',
] as const;
export type SwitchName = (typeof SWITCH_KINDS)[number];

const [SOURCE, TARGET, OLD] = ['app-db', 'app-db-encrypted', 'app-db-old'] as const;
const SECRET = 'app-database';
const RECORD = 'db.shop.internal';
const PROXY = 'shop';
const KEY = 'webhook-key';

/** What becomes of the next requests to an endpoint of the user, the first one first; nothing: it does what it is asked for. */
export interface Trick {
  /** Absent: it is never done. */
  readonly doneAfterMs?: number;
  /** `none`: the connection ends. */
  readonly answer: number | 'none';
  /** The answer comes when it is done, not at once. */
  readonly answersWhenDone?: true;
}

/** A kind of switch, and how applications find their database by it. */
export interface Stage {
  readonly cutover: NonNullable<PlanInput['cutover']>;
  /** The call of AWS that decides, and how it refuses who asks twice. */
  readonly call?: { readonly operation: string; readonly refusal: string };
  front(pair: PreparedPair): Front;
  /** Of a webhook: what it is to do wrong. */
  trick?(...tricks: readonly Trick[]): void;
  /** Of a webhook: whether a request has run into every trick. */
  isTricked?(): boolean;
  /** Whether the instances change their names. */
  readonly renames?: true;
  close?(): void;
}

const source = (read: () => Promise<string>): EndpointSource => ({ current: read, refresh: read });
const endpointOf = async ({ lab }: PreparedPair, instance: string): Promise<{ address: string; port: number }> => {
  const { Endpoint } = await lab.standIn.instance(instance);
  return { address: Endpoint?.Address ?? '', port: Endpoint?.Port ?? 0 };
};
const textOf = ({ address, port }: { address: string; port: number }): string => `${address}:${port}`;

/** Makes what a switch of this kind switches, pointing at the source. */
export async function stageOf(kind: SwitchName, pair: PreparedPair): Promise<Stage> {
  switch (kind) {
    case 'ssm-parameter':
      return {
        cutover: { traffic: [{ type: 'ssm-parameter', name: PARAMETER }] },
        call: { operation: 'PutParameter', refusal: 'ValidationException' },
        front: parameterFront,
      };
    case 'secrets-manager':
      return secretStage(pair);
    case 'route53':
      return recordStage(pair);
    case 'rds-proxy':
      return proxyStage(pair);
    case 'webhook':
      return webhookStage(pair);
    case 'manual':
      return manualStage(pair);
    case 'rds-rename':
      return renameStage(pair);
    case 'pgbouncer':
      return {
        cutover: {},
        front: (made) => {
          if (!made.pooler) throw new Error('there is no pooler in front');
          return poolerFront(made, made.pooler);
        },
      };
  }
}

async function secretStage(pair: PreparedPair): Promise<Stage> {
  const { secrets } = pair.lab.aws();
  const value = async (instance: string) => {
    const { address: host, port } = await endpointOf(pair, instance);
    return JSON.stringify({ engine: 'postgres', host, port, username: 'app', password: 'app-password' });
  };
  await secrets.send(new CreateSecretCommand({ Name: SECRET, SecretString: await value(SOURCE) }));
  return {
    cutover: { traffic: [{ type: 'secrets-manager', secret: SECRET }] },
    call: { operation: 'PutSecretValue', refusal: 'InvalidRequestException' },
    front: () => ({
      endpoints: source(async () => {
        const { SecretString = '' } = await secrets.send(new GetSecretValueCommand({ SecretId: SECRET }));
        const { host, port } = JSON.parse(SecretString) as { host: string; port: number };
        return `${host}:${port}`;
      }),
      async leadTo(instance) {
        await secrets.send(new PutSecretValueCommand({ SecretId: SECRET, SecretString: await value(instance) }));
      },
    }),
  };
}

/** Both instances have one port, as on AWS, and addresses of their own. */
async function recordStage(pair: PreparedPair): Promise<Stage> {
  const { route53 } = pair.lab.aws();
  const { HostedZone } = await route53.send(
    new CreateHostedZoneCommand({ Name: 'shop.internal', CallerReference: randomUUID() }),
  );
  const hostedZoneId = HostedZone?.Id?.replace('/hostedzone/', '') ?? '';
  const { port } = await endpointOf(pair, SOURCE);
  const leadTo = async (instance: string) => {
    const { address } = await endpointOf(pair, instance);
    const record = { Name: RECORD, Type: 'CNAME' as const, TTL: 1, ResourceRecords: [{ Value: address }] };
    const Changes = [{ Action: 'UPSERT' as const, ResourceRecordSet: record }];
    await route53.send(new ChangeResourceRecordSetsCommand({ HostedZoneId: hostedZoneId, ChangeBatch: { Changes } }));
  };
  await leadTo(SOURCE);
  return {
    cutover: { traffic: [{ type: 'route53', hostedZoneId, name: RECORD }] },
    call: { operation: 'ChangeResourceRecordSets', refusal: 'InvalidChangeBatch' },
    front: () => ({
      endpoints: source(async () => {
        const { ResourceRecordSets = [] } = await route53.send(
          new ListResourceRecordSetsCommand({ HostedZoneId: hostedZoneId }),
        );
        const record = ResourceRecordSets.find(({ Type }) => Type === 'CNAME');
        return `${record?.ResourceRecords?.[0]?.Value?.replace(/\.$/, '')}:${port}`;
      }),
      leadTo,
    }),
  };
}

async function proxyStage(pair: PreparedPair): Promise<Stage> {
  const { lab } = pair;
  await createProxy(lab, PROXY);
  await registerTarget(lab.aws(), PROXY, SOURCE);
  const { DBProxies } = await lab.aws().rds.send(new DescribeDBProxiesCommand({ DBProxyName: PROXY }));
  const endpoint = DBProxies?.[0]?.Endpoint ?? '';
  return {
    cutover: { traffic: [{ type: 'rds-proxy', proxy: PROXY }] },
    call: { operation: 'DeregisterDBProxyTargets', refusal: 'InvalidDBInstanceState' },
    front: () => ({
      endpoints: source(async () => endpoint),
      async leadTo(instance) {
        const targets = await proxyTargets(lab.aws(), PROXY);
        for (const { RdsResourceId = '' } of targets) await deregisterTarget(lab.aws(), PROXY, RdsResourceId);
        await registerTarget(lab.aws(), PROXY, instance);
      },
    }),
  };
}

/** An endpoint of the user that turns where applications go. */
async function webhookStage(pair: PreparedPair): Promise<Stage> {
  let at = textOf(await endpointOf(pair, SOURCE));
  const tricks: Trick[] = [];
  const done = new Set<string>();
  const turn = (body: string) => {
    const { idempotencyKey, to } = JSON.parse(body) as { idempotencyKey: string; to: { host: string; port: number } };
    if (done.has(idempotencyKey)) return;
    done.add(idempotencyKey);
    at = `${to.host}:${to.port}`;
  };
  const server: Server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (part: string) => (body += part));
    request.on('end', () => {
      const trick = tricks.shift();
      const { doneAfterMs, answer: status } = trick ?? { doneAfterMs: 0, answer: 200 };
      const reply = () => {
        if (status === 'none') request.socket.destroy();
        else response.writeHead(status).end();
      };
      if (!trick) turn(body);
      else if (doneAfterMs !== undefined) {
        setTimeout(() => {
          turn(body);
          if (trick.answersWhenDone) reply();
        }, doneAfterMs);
      }
      if (!trick?.answersWhenDone) reply();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await pair.lab.value(KEY, 'a key', 'webhook');
  return {
    cutover: { traffic: [{ type: 'webhook', url: `http://127.0.0.1:${port}/`, secret: KEY }] },
    front: () => ({
      endpoints: source(() => Promise.resolve(at)),
      async leadTo(instance) {
        done.clear();
        tricks.splice(0);
        at = textOf(await endpointOf(pair, instance));
      },
    }),
    trick: (...wanted) => void tricks.push(...wanted),
    isTricked: () => tricks.length === 0,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A person turns where applications go, when the pause is over. */
async function manualStage(pair: PreparedPair): Promise<Stage> {
  let at = textOf(await endpointOf(pair, SOURCE));
  const leadTo = async (instance: string) => void (at = textOf(await endpointOf(pair, instance)));
  return {
    cutover: { traffic: [{ type: 'manual' }] },
    front: () => ({ endpoints: source(() => Promise.resolve(at)), leadTo, byHand: leadTo }),
  };
}

/** One endpoint for ever: what it leads to changes. */
async function renameStage(pair: PreparedPair): Promise<Stage> {
  const at = textOf(await endpointOf(pair, SOURCE));
  const rename = async (from: string, to: string) => {
    const { rds } = pair.lab.aws();
    await rds.send(
      new ModifyDBInstanceCommand({ DBInstanceIdentifier: from, NewDBInstanceIdentifier: to, ApplyImmediately: true }),
    );
    await until(`${from} is called ${to}`, async () => {
      const found = await pair.lab.standIn.instance(to).catch(() => undefined);
      return found?.DBInstanceStatus === 'available' && !found.PendingModifiedValues?.DBInstanceIdentifier;
    });
  };
  return {
    cutover: { traffic: [{ type: 'rds-rename' }] },
    call: { operation: 'ModifyDBInstance', refusal: 'InvalidDBInstanceState' },
    renames: true,
    front: () => ({
      endpoints: source(() => Promise.resolve(at)),
      async leadTo(instance) {
        const isRenamed = await pair.lab.standIn.instance(OLD).then(
          () => true,
          () => false,
        );
        if (instance === SOURCE && isRenamed) {
          await rename(SOURCE, TARGET);
          await rename(OLD, SOURCE);
        }
        if (instance === TARGET && !isRenamed) {
          await rename(SOURCE, OLD);
          await rename(TARGET, SOURCE);
        }
      },
    }),
  };
}
