import type { SecurityGroupRule } from '@aws-sdk/client-ec2';
import type { DBInstance } from '@aws-sdk/client-rds';
import { contains } from '../../../../activities/preflight/cidr';
import { denialOf } from '../../../../activities/preflight/denials';
import { admits } from '../../../../activities/preflight/look-at-network-path';
import { baselineOf } from '../../../../activities/preflight/look-at-performance';
import { checkStorage, type StorageFacts } from '../../../../activities/preflight/look-at-storage';
import { isWithin } from '../../../../activities/preflight/look-at-upcoming';
import { neededPermissions } from '../../../../activities/preflight/needed-permissions';
import { ceilingMiB } from '../../../../activities/rds/wal-ceiling';
import { parsedPlan, SMALLEST_PLAN } from '../../../support/plan';

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const plan = parsedPlan();
const source: DBInstance = {
  DBInstanceIdentifier: 'app-db',
  AllocatedStorage: 100,
  StorageType: 'gp3',
  EngineVersion: '16.4',
  DBParameterGroups: [{ DBParameterGroupName: 'own', ParameterApplyStatus: 'in-sync' }],
  OptionGroupMemberships: [{ OptionGroupName: 'default:postgres-16' }],
  DBSubnetGroup: { DBSubnetGroupName: 'private' },
};

describe('the ceiling on WAL', () => {
  it.each([
    [undefined, 51_200],
    [90, 51_200],
    [40, 33 * 1024],
    // Never below what the plan may ask for.
    [1, 64],
  ])('with %s GiB free is %s MiB', (freeGiB, ceiling) => {
    expect(ceilingMiB(plan, source, freeGiB === undefined ? undefined : freeGiB * GIB)).toBe(ceiling);
  });

  it('is no higher than the plan says', () => {
    const low = parsedPlan({ ...SMALLEST_PLAN, guard: { maxSlotWalKeepMiB: 128 } });
    expect(ceilingMiB(low, source, 90 * GIB)).toBe(128);
  });
});

describe('room on the disk', () => {
  const check = (facts: Partial<StorageFacts>) => checkStorage(plan, source, { freeBytes: 60 * GIB, ...facts });

  it('that nobody knows is a warning', () => {
    expect(check({ freeBytes: undefined })).toMatchObject([{ level: 'warn', message: /no figure/ }].map(withPattern));
  });

  it('below what the guard pauses at blocks, and the storage asked for would be enough', () => {
    const [found] = check({ freeBytes: 15 * GIB });
    expect(found).toMatchObject({ level: 'block' });
    const asked = Number(/--allocated-storage (\d+)/.exec(found?.remedy ?? '')?.[1]);
    const grown = { ...source, AllocatedStorage: asked };
    expect(checkStorage(plan, grown, { freeBytes: (asked - 85) * GIB })).toMatchObject([{ level: 'ok' }]);
  });

  it('on a small disk has to hold a gigabyte of WAL', () => {
    const small = { ...source, AllocatedStorage: 5 };
    const [found] = checkStorage(plan, small, { freeBytes: 1.2 * GIB });
    expect(found).toMatchObject({ level: 'block', message: expect.stringContaining('as a reserve') as string });
    const asked = Number(/--allocated-storage (\d+)/.exec(found?.remedy ?? '')?.[1]);
    const grown = { ...source, AllocatedStorage: asked };
    expect(checkStorage(plan, grown, { freeBytes: (asked - 3.8) * GIB })).toMatchObject([{ level: 'ok' }]);
  });

  it('for less WAL than is written meanwhile is a warning, and the storage asked for would be enough', () => {
    const facts = { walBytesPerSecond: 10 * MIB, hours: 2 };
    const [found] = check(facts);
    expect(found).toMatchObject({
      level: 'warn',
      message: expect.stringMatching(/10\.0 MiB of WAL a second.*70\.3 GiB/) as string,
    });
    const asked = Number(/--allocated-storage (\d+)/.exec(found?.remedy ?? '')?.[1]);
    const grown = { ...source, AllocatedStorage: asked };
    expect(checkStorage(plan, grown, { freeBytes: (asked - 40) * GIB, ...facts })).toMatchObject([{ level: 'ok' }]);
  });

  it('for less WAL than the own group lets slots keep is a warning that names the group', () => {
    const [found] = check({ ownCeilingMiB: 80 * 1024 });
    expect(found).toMatchObject({
      level: 'warn',
      remedy: expect.stringContaining('--db-parameter-group-name own') as string,
    });
    expect(check({ ownCeilingMiB: 20 * 1024 })).toMatchObject([{ level: 'ok' }]);
  });

  it('asks for a higher limit of autoscaling where that is in the way', () => {
    const [found] = checkStorage(plan, { ...source, MaxAllocatedStorage: 110 }, { freeBytes: 10 * GIB });
    const [, size, ceiling] =
      /--allocated-storage (\d+) --max-allocated-storage (\d+) /.exec(found?.remedy ?? '') ?? [];
    // At the size itself it would turn autoscaling off, and below 110 % RDS refuses it.
    expect(Number(ceiling)).toBeGreaterThanOrEqual(Number(size) * 1.1);
  });
});

/** Patterns in place of texts. */
const withPattern = ({ message, ...rest }: { level: string; message: RegExp }) => ({
  ...rest,
  message: expect.stringMatching(message) as string,
});

describe('what a volume can do all day', () => {
  it.each<[DBInstance, number, number | undefined]>([
    [{ StorageType: 'gp2', AllocatedStorage: 20 }, 100, 128],
    [{ StorageType: 'gp2', AllocatedStorage: 350 }, 1_050, 250],
    [{ StorageType: 'gp2', AllocatedStorage: 30_000 }, 64_000, 1_000],
    [{ StorageType: 'gp3', AllocatedStorage: 100 }, 3_000, 125],
    [{ StorageType: 'gp3', AllocatedStorage: 400 }, 12_000, 500],
    [{ StorageType: 'gp3', AllocatedStorage: 400, Iops: 20_000, StorageThroughput: 800 }, 20_000, 800],
    [{ StorageType: 'io2', AllocatedStorage: 100, Iops: 5_000 }, 5_000, undefined],
  ])('%j', (instance, iops, mibPerSecond) => {
    const baseline = baselineOf(instance);
    expect([baseline.iops, baseline.throughput && baseline.throughput / MIB]).toEqual([iops, mibPerSecond]);
  });
});

describe('security groups', () => {
  const target = { groups: ['sg-1'], subnets: ['10.0.0.0/24', '10.0.1.0/24'] };
  const rule = (change: Partial<SecurityGroupRule>): SecurityGroupRule => ({
    IsEgress: false,
    IpProtocol: 'tcp',
    FromPort: 5432,
    ToPort: 5432,
    ...change,
  });
  it.each<[string, SecurityGroupRule[], boolean]>([
    ['no rule', [], false],
    ['the own group', [rule({ ReferencedGroupInfo: { GroupId: 'sg-1' } })], true],
    ['another group', [rule({ ReferencedGroupInfo: { GroupId: 'sg-2' } })], false],
    ['the own group, outward', [rule({ IsEgress: true, ReferencedGroupInfo: { GroupId: 'sg-1' } })], false],
    ['the own group, UDP', [rule({ IpProtocol: 'udp', ReferencedGroupInfo: { GroupId: 'sg-1' } })], false],
    [
      'the own group, another port',
      [rule({ FromPort: 80, ToPort: 443, ReferencedGroupInfo: { GroupId: 'sg-1' } })],
      false,
    ],
    ['everything', [rule({ IpProtocol: '-1', CidrIpv4: '0.0.0.0/0' })], true],
    ['one subnet of two', [rule({ CidrIpv4: '10.0.0.0/24' })], false],
    ['both subnets', [rule({ CidrIpv4: '10.0.0.0/24' }), rule({ CidrIpv4: '10.0.1.0/24' })], true],
    ['a range around them', [rule({ CidrIpv4: '10.0.0.0/16', FromPort: 1024, ToPort: 65_535 })], true],
    ['a prefix list, which is not looked into', [rule({ PrefixListId: 'pl-1' })], true],
  ])('%s', (_, rules, lets) => {
    expect(admits(rules, false, target, 5432)).toBe(lets);
  });

  it.each([
    ['10.0.0.0/8', '10.1.2.0/24', true],
    ['10.1.2.0/24', '10.0.0.0/8', false],
    ['10.1.2.3/8', '10.200.0.0/16', true],
    ['0.0.0.0/0', '192.168.1.0/24', true],
    ['10.0.0.0/24', '10.0.0.0/24', true],
    ['::/0', '10.0.0.0/24', false],
    ['10.0.0.0/33', '10.0.0.0/24', false],
  ])('%s holds %s: %s', (outer, inner, holds) => {
    expect(contains(outer, inner)).toBe(holds);
  });
});

it.each([
  ['04:00-04:30', '04:15', true],
  ['04:00-04:30', '04:30', false],
  ['23:45-00:15', '00:05', true],
  ['23:45-00:15', '23:50', true],
  ['23:45-00:15', '12:00', false],
  ['', '12:00', false],
])('window %s is open at %s: %s', (window, time, open) => {
  expect(isWithin(window, new Date(`2026-01-01T${time}:00Z`))).toBe(open);
});

describe('a refused call', () => {
  it('is named as AWS names it', () => {
    const message =
      'User: arn:aws:sts::1:assumed-role/worker/x is not authorized to perform: rds:DescribeDBProxies on resource: arn:aws:rds:eu-central-1:1:db-proxy:* because no identity-based policy allows the rds:DescribeDBProxies action';
    expect(denialOf(new Error(message), 'rds:Other')).toEqual({
      action: 'rds:DescribeDBProxies',
      principal: 'arn:aws:sts::1:assumed-role/worker/x',
      resource: 'arn:aws:rds:eu-central-1:1:db-proxy:*',
      message,
    });
  });

  it('is named by what was called where the message does not say', () => {
    expect(denialOf(new Error('Access denied'), 'ec2:DescribeSubnets')).toEqual({
      action: 'ec2:DescribeSubnets',
      message: 'Access denied',
    });
  });
});

describe('needed permissions', () => {
  const around = { region: 'eu-central-1', account: '123456789012', migration: 'm1', plan, source };
  const resources = (change: object = {}) =>
    neededPermissions({ ...around, ...change }).flatMap((one) => [...one.resources]);

  it('are those of the policy, on the resources of the migration, without a placeholder left', () => {
    const all = resources();
    expect(all).toEqual(
      expect.arrayContaining([
        'arn:aws:rds:eu-central-1:123456789012:db:app-db',
        'arn:aws:rds:eu-central-1:123456789012:db:app-db-encrypted',
        'arn:aws:rds:eu-central-1:123456789012:snapshot:keyshift-m1-source',
        'arn:aws:rds:eu-central-1:123456789012:pg:own',
        'arn:aws:rds:eu-central-1:123456789012:subgrp:private',
      ]),
    );
    for (const resource of all) expect(resource).not.toMatch(/[A-Z]{3,}|.\*/);
  });

  it('are those of replicas and switches only where there are some', () => {
    const ssm = (all: string[]) => all.filter((one) => one.includes(':ssm:'));
    expect(ssm(resources())).toEqual([]);
    const traffic = [{ type: 'ssm-parameter' as const, name: '/app/endpoint' }];
    expect(ssm(resources({ plan: parsedPlan({ ...SMALLEST_PLAN, cutover: { traffic } }) }))).toEqual([
      'arn:aws:ssm:eu-central-1:123456789012:parameter/app/endpoint',
    ]);
    const replicas = { ...source, ReadReplicaDBInstanceIdentifiers: ['copy'] };
    expect(resources({ source: replicas }).length).toBeGreaterThan(resources().length);
  });

  it('are those to stop and start the source, by the name that it has then, only where the plan does', () => {
    const fence = [{ type: 'stop-instance' as const }];
    const stops = (change: object = {}) =>
      neededPermissions({ ...around, ...change })
        .filter(({ actions }) => actions.includes('rds:StopDBInstance'))
        .flatMap((one) => [...one.resources]);
    const planned = (cutover: object) => ({
      plan: parsedPlan({ ...SMALLEST_PLAN, cutover: { fence, ...cutover }, soak: { wayBack: 'none' } }),
    });
    expect(stops()).toEqual([]);
    expect(stops(planned({}))).toEqual(['arn:aws:rds:eu-central-1:123456789012:db:app-db']);
    expect(stops(planned({ traffic: [{ type: 'rds-rename' }] }))).toEqual([
      'arn:aws:rds:eu-central-1:123456789012:db:app-db-old',
    ]);
  });
});
