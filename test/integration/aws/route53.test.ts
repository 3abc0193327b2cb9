import {
  ChangeResourceRecordSetsCommand,
  CreateHostedZoneCommand,
  DeleteHostedZoneCommand,
  GetChangeCommand,
  GetHostedZoneCommand,
  ListHostedZonesByNameCommand,
  ListHostedZonesCommand,
  ListResourceRecordSetsCommand,
  Route53Client,
  waitUntilResourceRecordSetsChanged,
  type Change,
  type ListResourceRecordSetsCommandInput,
  type ListResourceRecordSetsCommandOutput,
  type ResourceRecordSet,
} from '@aws-sdk/client-route-53';
import { callAws, findAwsCli } from '../../support/aws-cli';
import { StandIn, until } from '../../support/stand-in';

const TTL = 5;

let aws: StandIn;
let dns: Route53Client;
let zone: string;
beforeAll(async () => {
  aws = await StandIn.start();
  dns = new Route53Client(aws.settings());
  zone = await createZone('Example.com', 'first');
});
afterAll(() => aws?.remove());

async function createZone(Name: string, CallerReference: string): Promise<string> {
  const { HostedZone } = await dns.send(new CreateHostedZoneCommand({ Name, CallerReference }));
  return HostedZone?.Id ?? '';
}

const cname = (name: string, value: string, more: Partial<ResourceRecordSet> = {}): ResourceRecordSet => ({
  Name: name,
  Type: 'CNAME',
  TTL,
  ResourceRecords: [{ Value: value }],
  ...more,
});

const change = (...Changes: Change[]) =>
  dns.send(new ChangeResourceRecordSetsCommand({ HostedZoneId: zone, ChangeBatch: { Changes } }));

const upsert = (set: ResourceRecordSet) => change({ Action: 'UPSERT', ResourceRecordSet: set });

/** Every record set of the zone, read in small pages. */
async function sets(): Promise<ResourceRecordSet[]> {
  const found: ResourceRecordSet[] = [];
  let start: Partial<ListResourceRecordSetsCommandInput> | undefined = {};
  while (start) {
    const page: ListResourceRecordSetsCommandOutput = await dns.send(
      new ListResourceRecordSetsCommand({ HostedZoneId: zone, MaxItems: 2, ...start }),
    );
    found.push(...(page.ResourceRecordSets ?? []));
    start = page.IsTruncated
      ? {
          StartRecordName: page.NextRecordName,
          StartRecordType: page.NextRecordType,
          StartRecordIdentifier: page.NextRecordIdentifier,
        }
      : undefined;
  }
  return found;
}

const own = async () => (await sets()).filter(({ Type }) => Type !== 'NS' && Type !== 'SOA');

/** Takes away what a test left in the zone. */
afterEach(async () => {
  const left = await own();
  if (left.length > 0) await change(...left.map((set) => ({ Action: 'DELETE' as const, ResourceRecordSet: set })));
});

describe('hosted zones', () => {
  it('have name servers and the two records that every zone has', async () => {
    const { HostedZone, DelegationSet } = await dns.send(new GetHostedZoneCommand({ Id: zone }));
    expect(HostedZone).toMatchObject({ Name: 'example.com.', ResourceRecordSetCount: 2, CallerReference: 'first' });
    expect(DelegationSet?.NameServers).toHaveLength(4);
    expect((await sets()).map(({ Name, Type }) => [Name, Type])).toEqual([
      ['example.com.', 'NS'],
      ['example.com.', 'SOA'],
    ]);
  });

  it('are found by name, in pages, and go when nothing is left in them', async () => {
    const other = await createZone('a.example.com', 'second');
    const all = await dns.send(new ListHostedZonesCommand({ MaxItems: 1 }));
    expect(all).toMatchObject({ IsTruncated: true, HostedZones: [{}] });
    const rest = await dns.send(new ListHostedZonesCommand({ Marker: all.NextMarker }));
    expect([...(all.HostedZones ?? []), ...(rest.HostedZones ?? [])].map(({ Id }) => Id).sort()).toEqual(
      [zone, other].sort(),
    );
    const byName = await dns.send(new ListHostedZonesByNameCommand({ DNSName: 'a.example.com' }));
    expect(byName.HostedZones?.map(({ Name }) => Name)).toEqual(['a.example.com.']);
    await expect(createZone('a.example.com', 'second')).rejects.toMatchObject({ name: 'HostedZoneAlreadyExists' });
    await dns.send(
      new ChangeResourceRecordSetsCommand({
        HostedZoneId: other,
        ChangeBatch: { Changes: [{ Action: 'CREATE', ResourceRecordSet: cname('x.a.example.com', 'y') }] },
      }),
    );
    await expect(dns.send(new DeleteHostedZoneCommand({ Id: other }))).rejects.toMatchObject({
      name: 'HostedZoneNotEmpty',
    });
    await dns.send(
      new ChangeResourceRecordSetsCommand({
        HostedZoneId: other,
        ChangeBatch: { Changes: [{ Action: 'DELETE', ResourceRecordSet: cname('x.a.example.com', 'y') }] },
      }),
    );
    await dns.send(new DeleteHostedZoneCommand({ Id: other }));
    await expect(dns.send(new GetHostedZoneCommand({ Id: other }))).rejects.toMatchObject({
      name: 'NoSuchHostedZone',
      message: expect.stringContaining('No hosted zone found with ID: Z') as string,
    });
  });
});

describe('record sets', () => {
  it('change, and reach the name servers a while later', async () => {
    await aws.control('POST', 'faults', { operation: 'ChangeResourceRecordSets', kind: 'stall' });
    const { ChangeInfo } = await upsert(cname('DB.example.com', 'old.example.net', { TTL: 60 }));
    const Id = ChangeInfo?.Id ?? '';
    expect(ChangeInfo?.Status).toBe('PENDING');
    await expect(dns.send(new GetChangeCommand({ Id }))).resolves.toMatchObject({ ChangeInfo: { Status: 'PENDING' } });
    await aws.control('DELETE', 'faults');
    await waitUntilResourceRecordSetsChanged({ client: dns, maxWaitTime: 30, minDelay: 1 }, { Id });
    await upsert(cname('db.example.com.', 'new.example.net'));
    expect(await own()).toEqual([
      { Name: 'db.example.com.', Type: 'CNAME', TTL, ResourceRecords: [{ Value: 'new.example.net' }] },
    ]);
    await expect(dns.send(new GetChangeCommand({ Id: 'C0' }))).rejects.toMatchObject({ name: 'NoSuchChange' });
  });

  it('share a name by weight, all with the same TTL', async () => {
    const weighted = (SetIdentifier: string, Weight: number, more: Partial<ResourceRecordSet> = {}) =>
      cname('db.example.com', `${SetIdentifier}.example.net`, { SetIdentifier, Weight, ...more });
    await change(
      { Action: 'CREATE', ResourceRecordSet: weighted('old', 100) },
      { Action: 'CREATE', ResourceRecordSet: weighted('new', 0) },
    );
    await change(
      { Action: 'UPSERT', ResourceRecordSet: weighted('old', 0) },
      { Action: 'UPSERT', ResourceRecordSet: weighted('new', 255) },
    );
    expect((await own()).map(({ SetIdentifier, Weight }) => [SetIdentifier, Weight])).toEqual([
      ['new', 255],
      ['old', 0],
    ]);
    await expect(upsert(weighted('old', 1, { TTL: 60 }))).rejects.toMatchObject({
      name: 'InvalidChangeBatch',
      message:
        '[RRSet with DNS name db.example.com., type CNAME, SetIdentifier old cannot be created as weighted sets must contain the same TTL.]',
    });
    await expect(upsert(cname('db.example.com', 'x'))).rejects.toThrow(
      'cannot be created as other RRSets exist with the same name and type.',
    );
    await expect(upsert(weighted('old', 256))).rejects.toMatchObject({ name: 'InvalidInput' });
    await expect(upsert(cname('db.example.com', 'x', { Weight: 1 }))).rejects.toThrow("Missing field 'SetIdentifier'");
  });

  it('are listed from a name on, in the order of their labels from the right', async () => {
    const names = ['b.example.com', 'a.b.example.com', 'a.example.com', '*.example.com'];
    await change(
      ...names.map((name) => ({ Action: 'CREATE' as const, ResourceRecordSet: cname(name, 'x.example.net') })),
    );
    expect((await own()).map(({ Name }) => Name)).toEqual([
      '\\052.example.com.',
      'a.example.com.',
      'b.example.com.',
      'a.b.example.com.',
    ]);
    const page = await dns.send(
      new ListResourceRecordSetsCommand({
        HostedZoneId: zone,
        StartRecordName: 'b.example.com',
        StartRecordType: 'CNAME',
        MaxItems: 1,
      }),
    );
    expect(page).toMatchObject({
      ResourceRecordSets: [{ Name: 'b.example.com.' }],
      IsTruncated: true,
      NextRecordName: 'a.b.example.com.',
      NextRecordType: 'CNAME',
      MaxItems: 1,
    });
  });

  it('change all or not at all, and every fault is named', async () => {
    await upsert(cname('db.example.com', 'x.example.net'));
    const before = await own();
    const wrong = change(
      { Action: 'CREATE', ResourceRecordSet: cname('new.example.com', 'y') },
      { Action: 'CREATE', ResourceRecordSet: cname('db.example.com', 'y') },
      { Action: 'DELETE', ResourceRecordSet: cname('none.example.com', 'y') },
      { Action: 'UPSERT', ResourceRecordSet: cname('db.example.org', 'y') },
      { Action: 'UPSERT', ResourceRecordSet: cname('example.com', 'y') },
    );
    await expect(wrong).rejects.toMatchObject({
      name: 'InvalidChangeBatch',
      message: `[${[
        "Tried to create resource record set [name='db.example.com.', type='CNAME'] but it already exists",
        "Tried to delete resource record set [name='none.example.com.', type='CNAME'] but it was not found",
        'RRSet with DNS name db.example.org. is not permitted in zone example.com.',
        'RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com.',
      ].join(', ')}]`,
    });
    expect(await own()).toEqual(before);
    await expect(
      change({ Action: 'DELETE', ResourceRecordSet: cname('db.example.com', 'x.example.net', { TTL: 7 }) }),
    ).rejects.toThrow('but the values provided do not match the current values');
  });

  it('have no other beside a CNAME, but one takes the place of the other in one batch', async () => {
    const address = { Name: 'db.example.com', Type: 'A', TTL, ResourceRecords: [{ Value: '127.0.0.1' }] } as const;
    const records = { ...address, ResourceRecords: [...address.ResourceRecords] };
    await upsert(cname('db.example.com', 'x.example.net'));
    await expect(upsert(records)).rejects.toThrow('because a conflicting RRSet of type CNAME with the same DNS name');
    await change(
      { Action: 'DELETE', ResourceRecordSet: cname('db.example.com', 'x.example.net') },
      { Action: 'CREATE', ResourceRecordSet: records },
    );
    await expect(upsert(cname('db.example.com', 'x'))).rejects.toThrow('conflicts with other records');
    await expect(upsert({ ...records, ResourceRecords: [{ Value: 'localhost' }] })).rejects.toThrow(
      'Value is not a valid IPv4 address',
    );
    await expect(upsert({ Name: 'db.example.com', Type: 'A' })).rejects.toThrow('Expected exactly one of [AliasTarget');
  });

  it('are still there after a restart, and what was on its way arrives', async () => {
    await aws.control('POST', 'faults', { operation: 'ChangeResourceRecordSets', kind: 'stall' });
    const { ChangeInfo } = await upsert(cname('db.example.com', 'x.example.net'));
    await aws.stopProcess('SIGKILL');
    await aws.startProcess();
    dns = new Route53Client(aws.settings());
    expect(await own()).toMatchObject([{ Name: 'db.example.com.' }]);
    await until('the change is in sync', async () => {
      const answer = await dns.send(new GetChangeCommand({ Id: ChangeInfo?.Id ?? '' }));
      return answer.ChangeInfo?.Status === 'INSYNC';
    });
  });

  it('can be refused, and can be late, before and after the effect', async () => {
    const operation = 'ChangeResourceRecordSets';
    await aws.control('POST', 'faults', { operation, kind: 'throttle' });
    await expect(upsert(cname('db.example.com', 'x'))).rejects.toMatchObject({ name: 'Throttling' });
    const far = { operation, kind: 'delay', delayMs: 60_000 };
    await aws.control('POST', 'faults', { ...far, when: 'after' });
    let answered = false;
    const late = upsert(cname('db.example.com', 'after')).then(() => (answered = true));
    await until('the effect is there', async () => (await own()).length === 1);
    expect(answered).toBe(false);
    await aws.control('DELETE', 'faults');
    await late;
    await aws.control('POST', 'faults', far);
    const later = upsert(cname('db.example.com', 'before'));
    await until('the call is held', async () => {
      const faults = (await aws.control('GET', 'faults')) as { hits: number }[];
      return faults[0]?.hits === 1;
    });
    expect(await own()).toMatchObject([{ ResourceRecords: [{ Value: 'after' }] }]);
    await aws.control('DELETE', 'faults');
    await later;
    expect(await own()).toMatchObject([{ ResourceRecords: [{ Value: 'before' }] }]);
  });
});

const command = findAwsCli();

/** A client that we didn't write. */
(command === undefined ? describe.skip : describe)('the aws command', () => {
  const call = async (...args: string[]) =>
    JSON.parse(await callAws(command ?? '', aws.endpoint, 'route53', ...args)) as Record<string, unknown>;

  it('upserts a CNAME, waits for it and lists it', async () => {
    const batch = { Changes: [{ Action: 'UPSERT', ResourceRecordSet: cname('cli.example.com', 'x.example.net') }] };
    const { ChangeInfo } = await call(
      ...['change-resource-record-sets', '--hosted-zone-id', zone, '--change-batch', JSON.stringify(batch)],
    );
    const { Id } = ChangeInfo as { Id: string };
    await callAws(command ?? '', aws.endpoint, 'route53', 'wait', 'resource-record-sets-changed', '--id', Id);
    const { ResourceRecordSets } = await call('list-resource-record-sets', '--hosted-zone-id', zone);
    expect(ResourceRecordSets).toContainEqual(expect.objectContaining({ Name: 'cli.example.com.', TTL }));
    await expect(call('list-hosted-zones-by-name', '--dns-name', 'example.com')).resolves.toMatchObject({
      HostedZones: [{ Id: zone, Config: { PrivateZone: false } }],
    });
  });

  it('shows why a batch was refused', async () => {
    const batch = { Changes: [{ Action: 'DELETE', ResourceRecordSet: cname('no.example.com', 'x') }] };
    await expect(
      call(...['change-resource-record-sets', '--hosted-zone-id', zone, '--change-batch', JSON.stringify(batch)]),
    ).rejects.toThrow(
      "An error occurred (InvalidChangeBatch) when calling the ChangeResourceRecordSets operation: [Tried to delete resource record set [name='no.example.com.', type='CNAME'] but it was not found]",
    );
  });
});
