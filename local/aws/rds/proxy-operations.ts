import { randomBytes } from 'node:crypto';
import { DEFAULT_GROUP_ID } from '../ec2/network';
import { AWS_SECONDS } from '../clock';
import type { Context } from '../context';
import { AwsError } from '../errors';
import type { Fault } from '../faults';
import { paginate, readFilters } from '../pagination';
import type { Answer } from '../query-protocol';
import { ACCOUNT_ID } from '../state';
import { runInBackground } from './background';
import { SERVING } from './instance-states';
import type { ConnectionPool, InstanceRecord, ProxyRecord } from './model';
import { findProxyPort } from './network-place';
import { BORROW_TIMEOUT } from './proxy-pool';
import { assertInstanceState, newIdentifier, readTags, requireInstance, type RdsCall } from './request';
import { VPC_ID } from './subnet-groups';

/** RDS's defaults and upper bounds of a pool. */
const POOL: ConnectionPool = {
  MaxConnectionsPercent: 100,
  MaxIdleConnectionsPercent: 50,
  ConnectionBorrowTimeout: BORROW_TIMEOUT,
};
const LARGEST: ConnectionPool = {
  MaxConnectionsPercent: 100,
  MaxIdleConnectionsPercent: 100,
  ConnectionBorrowTimeout: 300,
};

/** States in which an instance can be a target. */
const TAKING_CONNECTIONS: readonly string[] = [...SERVING, 'modifying', 'renaming'];

/** Every proxy has this target group, and no other. */
const TARGET_GROUP = 'default';

function requireProxy({ rds, parameters }: RdsCall): ProxyRecord {
  const name = parameters.required('DBProxyName');
  const proxy = rds.proxies?.[name.toLowerCase()];
  if (!proxy) throw new AwsError('DBProxyNotFoundFault', `DBProxy ${name} not found.`, 404);
  return proxy;
}

const proxyExists = (name: string): AwsError =>
  new AwsError('DBProxyAlreadyExistsFault', `Cannot create the DBProxy. A DBProxy named ${name} exists.`);

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBProxy.html */
export async function createDBProxy(call: RdsCall): Promise<Answer> {
  const { context, parameters, rds, region } = call;
  const name = newIdentifier(call, 'DBProxyName', 63);
  if (rds.proxies?.[name]) throw proxyExists(name);
  const engineFamily = parameters.required('EngineFamily');
  if (engineFamily !== 'POSTGRESQL') {
    throw new AwsError('InvalidParameterValue', `Invalid engine family: ${engineFamily}`);
  }
  const roleArn = parameters.required('RoleArn');
  const port = await findProxyPort(context);
  const proxy: ProxyRecord = {
    name,
    port,
    id: `prx-0${randomBytes(8).toString('hex')}`,
    roleArn,
    engineFamily,
    subnets: parameters.texts('VpcSubnetIds') ?? [],
    securityGroups: parameters.texts('VpcSecurityGroupIds') ?? [DEFAULT_GROUP_ID],
    secrets: (parameters.structures('Auth') ?? []).flatMap((one) => one.text('SecretArn') ?? []),
    requireTls: parameters.flag('RequireTLS') ?? false,
    createdAt: new Date().toISOString(),
    targets: [],
    tags: readTags(parameters) ?? [],
  };
  // Looked at once more: a port was searched for in between.
  if (rds.proxies?.[name]) throw proxyExists(name);
  (rds.proxies ??= {})[name] = proxy;
  context.store.changed();
  await context.proxies.open(region, proxy);
  return { DBProxy: proxyShape(region, proxy) };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBProxies.html */
export function describeDBProxies(call: RdsCall): Answer {
  const { parameters, rds, region } = call;
  readFilters(parameters, []);
  const wanted = parameters.has('DBProxyName') ? [requireProxy(call)] : Object.values(rds.proxies ?? {});
  const page = paginate(parameters, wanted, ({ name }) => name);
  return { DBProxies: page.items.map((proxy) => proxyShape(region, proxy)), Marker: page.marker };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBProxyTargetGroups.html */
export function describeDBProxyTargetGroups(call: RdsCall): Answer {
  readFilters(call.parameters, []);
  return { TargetGroups: [targetGroupShape(call.region, requireProxy(call))] };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBProxyTargetGroup.html */
export function modifyDBProxyTargetGroup(call: RdsCall): Answer {
  const proxy = requireProxy(call);
  assertTargetGroup(call);
  const config = call.parameters.structure('ConnectionPoolConfig');
  const pool = { ...proxy.pool };
  for (const [name, most] of Object.entries(LARGEST)) {
    const value = config?.integer(name);
    if (value === undefined) continue;
    if (value < 0 || value > most) {
      throw new AwsError('InvalidParameterValue', `${name} must be between 0 and ${most}, not ${value}.`);
    }
    pool[name as keyof ConnectionPool] = value;
  }
  proxy.pool = pool;
  call.context.store.changed();
  return { DBProxyTargetGroup: targetGroupShape(call.region, proxy) };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBProxyTargets.html */
export function describeDBProxyTargets(call: RdsCall): Answer {
  readFilters(call.parameters, []);
  assertTargetGroup(call);
  const proxy = requireProxy(call);
  return { Targets: targetsOf(call, proxy, proxy.targets) };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RegisterDBProxyTargets.html */
export function registerDBProxyTargets(call: RdsCall): Answer {
  const proxy = requireProxy(call);
  assertTargetGroup(call);
  const instances = namedInstances(call);
  const added = instances.map(({ resourceId }) => resourceId);
  if (added.some((id) => proxy.targets.includes(id))) {
    throw new AwsError('DBProxyTargetAlreadyRegisteredFault', 'The target is already registered.');
  }
  // A proxy stands before one instance, or one cluster.
  if (proxy.targets.length + added.length > 1) {
    throw new AwsError('InvalidDBProxyStateFault', 'The proxy has a target already: deregister it first.');
  }
  for (const instance of instances) assertInstanceState(instance, TAKING_CONNECTIONS);
  proxy.targets.push(...added);
  proxy.registering = added;
  call.context.store.changed();
  register(call.context, proxy, call.stall);
  return { DBProxyTargets: targetsOf(call, proxy, added) };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeregisterDBProxyTargets.html */
export function deregisterDBProxyTargets(call: RdsCall): Answer {
  const proxy = requireProxy(call);
  assertTargetGroup(call);
  const gone = namedInstances(call).map(({ resourceId }) => resourceId);
  if (gone.some((id) => !proxy.targets.includes(id))) {
    throw new AwsError('DBProxyTargetNotFoundFault', 'The target is not registered.', 404);
  }
  proxy.targets = proxy.targets.filter((id) => !gone.includes(id));
  proxy.registering = proxy.registering?.filter((id) => !gone.includes(id)) ?? [];
  call.context.store.changed();
  for (const id of gone) call.context.proxies.endSessions(proxy, id);
  return {};
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBProxy.html */
export async function deleteDBProxy(call: RdsCall): Promise<Answer> {
  const proxy = requireProxy(call);
  delete call.rds.proxies?.[proxy.name];
  call.context.store.changed();
  await call.context.proxies.close(proxy);
  return { DBProxy: { ...(proxyShape(call.region, proxy) as object), Status: 'deleting' } };
}

/** Lets a proxy of an earlier stand-in listen again, and lets it go on with registering. */
export async function resumeProxy(context: Context, region: string, proxy: ProxyRecord): Promise<void> {
  await context.proxies.open(region, proxy);
  register(context, proxy, undefined);
}

/** Makes targets that are being registered available, a while later. */
function register(context: Context, proxy: ProxyRecord, stall: Fault | undefined): void {
  const { registering = [] } = proxy;
  if (registering.length === 0) return;
  runInBackground(
    context,
    { proxy: proxy.name },
    async () => {
      await context.clock.pass(AWS_SECONDS.registerTarget);
      await context.faults.whileStalled(stall, 'REGISTERING', context.shutdown);
      // Another registration may have begun in the meantime.
      if (proxy.registering === registering) proxy.registering = [];
      context.store.changed();
    },
    () => undefined,
  );
}

function namedInstances(call: RdsCall): InstanceRecord[] {
  const names = call.parameters.texts('DBInstanceIdentifiers') ?? [];
  if (names.length === 0) {
    throw new AwsError(
      'InvalidParameterCombination',
      'One of DBInstanceIdentifiers and DBClusterIdentifiers is needed.',
    );
  }
  return names.map((name) => requireInstance(call, name));
}

function assertTargetGroup({ parameters }: RdsCall): void {
  const name = parameters.text('TargetGroupName') ?? TARGET_GROUP;
  if (name !== TARGET_GROUP) {
    throw new AwsError('DBProxyTargetGroupNotFoundFault', `DBProxyTargetGroup ${name} not found.`, 404);
  }
}

function targetsOf({ context, rds }: RdsCall, proxy: ProxyRecord, ids: readonly string[]): Answer[] {
  return Object.values(rds.instances)
    .filter(({ resourceId }) => ids.includes(resourceId))
    .map((instance) => ({
      Endpoint: instance.address ?? 'localhost',
      RdsResourceId: instance.id,
      Port: instance.port,
      Type: 'RDS_INSTANCE',
      Role: 'READ_WRITE',
      TargetHealth: healthOf(context, proxy, instance),
    }));
}

function healthOf({ servers }: Context, { registering }: ProxyRecord, instance: InstanceRecord): Answer {
  if (registering?.includes(instance.resourceId)) return { State: 'REGISTERING' };
  if (servers.of(instance).takesSessions) {
    return { State: 'AVAILABLE' };
  }
  const Description = `DBProxy Target unavailable: the instance is ${instance.status}`;
  return { State: 'UNAVAILABLE', Reason: 'UNREACHABLE', Description };
}

function targetGroupShape(region: string, proxy: ProxyRecord): Answer {
  return {
    DBProxyName: proxy.name,
    TargetGroupName: TARGET_GROUP,
    TargetGroupArn: `arn:aws:rds:${region}:${ACCOUNT_ID}:target-group:${proxy.id.replace('prx', 'prx-tg')}`,
    IsDefault: true,
    Status: 'available',
    ConnectionPoolConfig: { ...POOL, ...proxy.pool, SessionPinningFilters: [] },
    CreatedDate: new Date(proxy.createdAt),
    UpdatedDate: new Date(proxy.createdAt),
  };
}

function proxyShape(region: string, proxy: ProxyRecord): Answer {
  return {
    DBProxyName: proxy.name,
    DBProxyArn: `arn:aws:rds:${region}:${ACCOUNT_ID}:db-proxy:${proxy.id}`,
    Status: 'available',
    EngineFamily: proxy.engineFamily,
    VpcId: VPC_ID,
    VpcSecurityGroupIds: proxy.securityGroups,
    VpcSubnetIds: proxy.subnets,
    Auth: proxy.secrets.map((SecretArn) => ({ AuthScheme: 'SECRETS', SecretArn, IAMAuth: 'DISABLED' })),
    RoleArn: proxy.roleArn,
    Endpoint: `localhost:${proxy.port}`,
    RequireTLS: proxy.requireTls,
    IdleClientTimeout: 1800,
    DebugLogging: false,
    CreatedDate: new Date(proxy.createdAt),
    UpdatedDate: new Date(proxy.createdAt),
  };
}
