import { randomBytes } from 'node:crypto';
import { DEFAULT_GROUP_ID } from '../ec2/network';
import { AwsError } from '../errors';
import { paginate, readFilters } from '../pagination';
import type { Answer } from '../query-protocol';
import { ACCOUNT_ID } from '../state';
import type { InstanceRecord, ProxyRecord } from './model';
import { newIdentifier, readTags, requireInstance, type RdsCall } from './request';
import { VPC_ID } from './subnet-groups';

/** Every proxy has this target group, and no other. */
const TARGET_GROUP = 'default';

function requireProxy({ rds, parameters }: RdsCall): ProxyRecord {
  const name = parameters.required('DBProxyName');
  const proxy = rds.proxies?.[name.toLowerCase()];
  if (!proxy) throw new AwsError('DBProxyNotFoundFault', `DBProxy ${name} not found.`, 404);
  return proxy;
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBProxy.html */
export function createDBProxy(call: RdsCall): Answer {
  const { context, parameters, rds, region } = call;
  const name = newIdentifier(call, 'DBProxyName', 63);
  if (rds.proxies?.[name]) {
    throw new AwsError('DBProxyAlreadyExistsFault', `Cannot create the DBProxy. A DBProxy named ${name} exists.`);
  }
  const engineFamily = parameters.required('EngineFamily');
  if (engineFamily !== 'POSTGRESQL') {
    throw new AwsError('InvalidParameterValue', `Invalid engine family: ${engineFamily}`);
  }
  const proxy: ProxyRecord = {
    name,
    id: `prx-0${randomBytes(8).toString('hex')}`,
    roleArn: parameters.required('RoleArn'),
    engineFamily,
    subnets: parameters.texts('VpcSubnetIds') ?? [],
    securityGroups: parameters.texts('VpcSecurityGroupIds') ?? [DEFAULT_GROUP_ID],
    secrets: (parameters.structures('Auth') ?? []).flatMap((one) => one.text('SecretArn') ?? []),
    requireTls: parameters.flag('RequireTLS') ?? false,
    createdAt: new Date().toISOString(),
    targets: [],
    tags: readTags(parameters) ?? [],
  };
  (rds.proxies ??= {})[name] = proxy;
  context.store.changed();
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
  const proxy = requireProxy(call);
  return {
    TargetGroups: [
      {
        DBProxyName: proxy.name,
        TargetGroupName: TARGET_GROUP,
        TargetGroupArn: `arn:aws:rds:${call.region}:${ACCOUNT_ID}:target-group:${proxy.id.replace('prx', 'prx-tg')}`,
        IsDefault: true,
        Status: 'available',
        ConnectionPoolConfig: {
          MaxConnectionsPercent: 100,
          MaxIdleConnectionsPercent: 50,
          ConnectionBorrowTimeout: 120,
          SessionPinningFilters: [],
        },
        CreatedDate: new Date(proxy.createdAt),
        UpdatedDate: new Date(proxy.createdAt),
      },
    ],
  };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBProxyTargets.html */
export function describeDBProxyTargets(call: RdsCall): Answer {
  readFilters(call.parameters, []);
  assertTargetGroup(call);
  return { Targets: targetsOf(call, requireProxy(call).targets) };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RegisterDBProxyTargets.html */
export function registerDBProxyTargets(call: RdsCall): Answer {
  const proxy = requireProxy(call);
  assertTargetGroup(call);
  const added = namedInstances(call).map(({ resourceId }) => resourceId);
  if (added.some((id) => proxy.targets.includes(id))) {
    throw new AwsError('DBProxyTargetAlreadyRegisteredFault', 'The target is already registered.');
  }
  // A proxy stands before one instance, or one cluster.
  if (proxy.targets.length + added.length > 1) {
    throw new AwsError('InvalidDBProxyStateFault', 'The proxy has a target already: deregister it first.');
  }
  proxy.targets.push(...added);
  call.context.store.changed();
  return { DBProxyTargets: targetsOf(call, added) };
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
  call.context.store.changed();
  return {};
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBProxy.html */
export function deleteDBProxy(call: RdsCall): Answer {
  const proxy = requireProxy(call);
  delete call.rds.proxies?.[proxy.name];
  call.context.store.changed();
  return { DBProxy: { ...(proxyShape(call.region, proxy) as object), Status: 'deleting' } };
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

function targetsOf({ rds }: RdsCall, ids: readonly string[]): Answer[] {
  return Object.values(rds.instances)
    .filter(({ resourceId }) => ids.includes(resourceId))
    .map(({ id, port }) => ({
      Endpoint: 'localhost',
      RdsResourceId: id,
      Port: port,
      Type: 'RDS_INSTANCE',
      Role: 'READ_WRITE',
      TargetHealth: { State: 'AVAILABLE' },
    }));
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
    Endpoint: `${proxy.name}.proxy-localhost`,
    RequireTLS: proxy.requireTls,
    IdleClientTimeout: 1800,
    DebugLogging: false,
    CreatedDate: new Date(proxy.createdAt),
    UpdatedDate: new Date(proxy.createdAt),
  };
}
