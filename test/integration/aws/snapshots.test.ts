import { CreateAliasCommand, CreateKeyCommand, DisableKeyCommand, EnableKeyCommand } from '@aws-sdk/client-kms';
import {
  CopyDBSnapshotCommand,
  CreateDBInstanceCommand,
  CreateDBParameterGroupCommand,
  CreateDBSnapshotCommand,
  DeleteDBInstanceCommand,
  DescribeDBLogFilesCommand,
  DownloadDBLogFilePortionCommand,
  ModifyDBParameterGroupCommand,
  RestoreDBInstanceFromDBSnapshotCommand,
} from '@aws-sdk/client-rds';
import type { DownloadDBLogFilePortionCommandOutput } from '@aws-sdk/client-rds';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from 'pg';
import { MASTER, StandIn, until } from '../../support/stand-in';

const NEEDLE = 'needle-in-a-haystack-4711';
const WRITERS = 4;

/** Writers that insert without pause and note every acknowledged commit. */
class Load {
  readonly acknowledged: { readonly id: number; readonly at: number }[] = [];
  private running = true;
  private readonly work: Promise<void>[];

  constructor(clients: readonly Client[]) {
    let last = 0;
    this.work = clients.map(async (client, index) => {
      await client.query(`SET synchronous_commit = ${index % 2 === 0 ? 'on' : 'off'}`);
      while (this.running) {
        const id = ++last;
        await client.query('INSERT INTO t VALUES ($1, $2)', [id, index]);
        this.acknowledged.push({ id, at: Date.now() });
      }
      await client.end();
    });
  }

  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.work);
  }
}

describe('snapshots and what is restored from them', () => {
  let aws: StandIn;
  beforeAll(async () => {
    aws = await StandIn.start();
    const rds = aws.rds();
    const group = { DBParameterGroupName: 'logical' };
    await rds.send(
      new CreateDBParameterGroupCommand({ ...group, DBParameterGroupFamily: 'postgres16', Description: 'x' }),
    );
    await rds.send(
      new ModifyDBParameterGroupCommand({
        ...group,
        Parameters: [{ ParameterName: 'rds.logical_replication', ParameterValue: '1', ApplyMethod: 'pending-reboot' }],
      }),
    );
    await rds.send(
      new CreateDBInstanceCommand({
        ...MASTER,
        ...group,
        DBInstanceIdentifier: 'source',
        Engine: 'postgres',
        EngineVersion: '16',
        DBInstanceClass: 'db.m6g.large',
        AllocatedStorage: 20,
      }),
    );
    await aws.untilInstance('source');
    await aws.query('source', 'CREATE TABLE t (id int PRIMARY KEY, writer int)');
    await aws.query('source', `CREATE TABLE secrets AS SELECT '${NEEDLE}'::text AS text`);
  });
  afterAll(() => aws.remove());

  it('takes an image under load that recovers from a crash, to a position that is known', async () => {
    const rds = aws.rds();
    await aws.query('source', "SELECT pg_create_logical_replication_slot('kept', 'test_decoding')");
    const load = new Load(await Promise.all(Array.from({ length: WRITERS }, () => aws.connect('source'))));
    try {
      await until('the load runs', async () => load.acknowledged.length > 500);
      const startedAt = Date.now();
      await rds.send(new CreateDBSnapshotCommand({ DBSnapshotIdentifier: 'first', DBInstanceIdentifier: 'source' }));
      const { OriginalSnapshotCreateTime } = await aws.untilSnapshot('first');
      expect(OriginalSnapshotCreateTime?.getTime()).toBeGreaterThanOrEqual(startedAt);
      await rds.send(
        new RestoreDBInstanceFromDBSnapshotCommand({
          DBInstanceIdentifier: 'clone',
          DBSnapshotIdentifier: 'first',
          DBParameterGroupName: 'logical',
        }),
      );
      await aws.untilInstance('clone');
      await load.stop();
      await aws.query('clone', 'CREATE EXTENSION rds_tools');
      const [seed] = await aws.query<{ lsn: string }>('clone', 'SELECT rds_tools.logical_seed_lsn() AS lsn');
      const log = await wholeLog(aws, 'clone');
      expect(log).toMatch(/database system was not properly shut down; automatic recovery in progress/);
      const redoDone = /redo done at ([0-9A-F/]+)/.exec(log)?.[1];
      const end = /invalid record length at ([0-9A-F/]+)/.exec(log)?.[1];
      if (end) expect(seed?.lsn).toBe(end);
      const [order] = await aws.query<{ later: boolean }>(
        'clone',
        `SELECT '${seed?.lsn}'::pg_lsn > '${redoDone}'::pg_lsn AS later`,
      );
      expect(order?.later).toBe(true);
      expect(log.match(/database system is ready to accept connections/g)).toHaveLength(2);
      expect(log).toMatch(/database system was shut down at/);

      // What the source's WAL says lies after the position and what the clone has are together everything, without overlap.
      const cloned = await aws.query<{ id: number }>('clone', 'SELECT id FROM t');
      expect(cloned.length).toBeGreaterThan(500);
      const all = await aws.query<{ id: number }>('source', 'SELECT id FROM t');
      // Decoding ends at what is flushed, and half of the writers commit without waiting for that: a commit that waits takes them along.
      await aws.query('source', "SELECT pg_logical_emit_message(true, 'test', 'the writers are done')");
      const changes = await aws.query<{ xid: string; data: string; behind: boolean }>(
        'source',
        `SELECT xid::text, data, lsn > '${seed?.lsn}'::pg_lsn AS behind FROM pg_logical_slot_peek_changes('kept', NULL, NULL)`,
      );
      // The LSN of a COMMIT line is the end of its record.
      const late = new Set(
        changes.filter(({ data, behind }) => behind && data.startsWith('COMMIT')).map(({ xid }) => xid),
      );
      const behind = changes
        .filter(({ xid, data }) => late.has(xid) && data.startsWith('table public.t: INSERT'))
        .map(({ data }) => Number(/id\[integer\]:(\d+)/.exec(data)?.[1]));
      const together = [...cloned.map(({ id }) => id), ...behind].sort((left, right) => left - right);
      expect(together).toEqual(all.map(({ id }) => id).sort((left, right) => left - right));
      expect(all).toHaveLength(load.acknowledged.length);
      expect(await aws.query('clone', 'SELECT slot_name FROM pg_replication_slots')).toEqual([{ slot_name: 'kept' }]);
    } finally {
      await load.stop();
    }
  });

  it('answers no position where nothing was restored', async () => {
    await aws.query('source', 'CREATE EXTENSION rds_tools');
    expect(await aws.query('source', 'SELECT rds_tools.logical_seed_lsn() AS lsn')).toEqual([{ lsn: null }]);
  });

  it('copies an unencrypted snapshot into one that is encrypted on disk', async () => {
    const rds = aws.rds();
    const { KeyMetadata } = await aws.kms().send(new CreateKeyCommand({}));
    await aws.kms().send(new CreateAliasCommand({ AliasName: 'alias/db', TargetKeyId: KeyMetadata?.KeyId }));
    const stored = () =>
      readdirSync(join(aws.stateDir, 'snapshots')).map((name) => join(aws.stateDir, 'snapshots', name));
    const [plain] = stored();
    expect(contains(plain ?? '', NEEDLE)).toBe(true);
    await rds.send(
      new CopyDBSnapshotCommand({
        SourceDBSnapshotIdentifier: 'first',
        TargetDBSnapshotIdentifier: 'encrypted',
        KmsKeyId: 'alias/db',
      }),
    );
    const copy = await aws.untilSnapshot('encrypted');
    expect(copy).toMatchObject({ Encrypted: true, StorageEncryptionType: 'sse-kms', KmsKeyId: KeyMetadata?.Arn });
    const encrypted = stored().find((directory) => directory !== plain);
    expect(contains(encrypted ?? '', NEEDLE)).toBe(false);

    await rds.send(
      new RestoreDBInstanceFromDBSnapshotCommand({ DBInstanceIdentifier: 'safe', DBSnapshotIdentifier: 'encrypted' }),
    );
    expect(await aws.untilInstance('safe')).toMatchObject({ StorageEncrypted: true, KmsKeyId: KeyMetadata?.Arn });
    expect(await aws.query('safe', 'SELECT text FROM secrets')).toEqual([{ text: NEEDLE }]);
    // Without rds.logical_replication a server can't start with logical slots.
    expect(await aws.query('safe', 'SELECT slot_name FROM pg_replication_slots')).toEqual([]);
  });

  it('needs a key that RDS may use', async () => {
    const rds = aws.rds();
    const copyUnder = (KmsKeyId: string) =>
      rds.send(
        new CopyDBSnapshotCommand({
          SourceDBSnapshotIdentifier: 'first',
          TargetDBSnapshotIdentifier: 'never',
          KmsKeyId,
        }),
      );
    const policy = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { AWS: '*' }, Action: 'kms:Describe*' }],
    };
    const { KeyMetadata: closed } = await aws.kms().send(new CreateKeyCommand({ Policy: JSON.stringify(policy) }));
    for (const key of ['alias/nothing', closed?.Arn ?? '']) {
      await expect(copyUnder(key)).rejects.toMatchObject({
        name: 'KMSKeyNotAccessibleFault',
        $metadata: { httpStatusCode: 400 },
      });
    }
    const { KmsKeyId = '' } = await aws.snapshot('encrypted');
    await aws.kms().send(new DisableKeyCommand({ KeyId: KmsKeyId }));
    const restore = new RestoreDBInstanceFromDBSnapshotCommand({
      DBInstanceIdentifier: 'locked',
      DBSnapshotIdentifier: 'encrypted',
    });
    await expect(rds.send(restore)).rejects.toMatchObject({ name: 'KMSKeyNotAccessibleFault' });
    await aws.kms().send(new EnableKeyCommand({ KeyId: KmsKeyId }));
    // Accepted with a key that works, which is taken away while the restore is under way.
    await aws.control('POST', 'faults', { operation: 'RestoreDBInstanceFromDBSnapshot', kind: 'stall' });
    await rds.send(restore);
    await aws.kms().send(new DisableKeyCommand({ KeyId: KmsKeyId }));
    await aws.control('DELETE', 'faults');
    await aws.untilInstance('locked', 'inaccessible-encryption-credentials');
    await rds.send(new DeleteDBInstanceCommand({ DBInstanceIdentifier: 'locked', SkipFinalSnapshot: true }));
    await aws.kms().send(new EnableKeyCommand({ KeyId: KmsKeyId }));
  });

  it('can do without rds_tools, and lie with it', async () => {
    const rds = aws.rds();
    await aws.control('PATCH', 'instances/without', { rdsTools: false });
    await aws.control('PATCH', 'instances/lying', { seedLsnOffset: -1000 });
    for (const id of ['without', 'lying']) {
      await rds.send(
        new RestoreDBInstanceFromDBSnapshotCommand({ DBInstanceIdentifier: id, DBSnapshotIdentifier: 'first' }),
      );
    }
    await Promise.all(['without', 'lying'].map((id) => aws.untilInstance(id)));
    const available = "SELECT 1 AS one FROM pg_available_extensions WHERE name = 'rds_tools'";
    expect(await aws.query('without', available)).toEqual([]);
    const read = 'SELECT rds_tools.logical_seed_lsn() AS lsn';
    await aws.query('lying', 'CREATE EXTENSION rds_tools');
    const [truth] = await aws.query<{ lsn: string }>('clone', read);
    const [lie] = await aws.query<{ lsn: string }>('lying', read);
    expect(await aws.query('source', `SELECT ('${truth?.lsn}'::pg_lsn - '${lie?.lsn}'::pg_lsn)::int AS bytes`)).toEqual(
      [{ bytes: 1000 }],
    );
  });

  it('cuts a log into portions that make the whole', async () => {
    const rds = aws.rds();
    const whole = await wholeLog(aws, 'clone');
    const LogFileName = await logFileName(aws, 'clone');
    let text = '';
    let Marker: string | undefined = '0';
    for (let pending = true; pending;) {
      const portion: DownloadDBLogFilePortionCommandOutput = await rds.send(
        new DownloadDBLogFilePortionCommand({ DBInstanceIdentifier: 'clone', LogFileName, Marker, NumberOfLines: 5 }),
      );
      text += portion.LogFileData ?? '';
      ({ Marker } = portion);
      pending = portion.AdditionalDataPending ?? false;
    }
    expect(text.startsWith(whole)).toBe(true);
    await expect(
      rds.send(new DownloadDBLogFilePortionCommand({ DBInstanceIdentifier: 'clone', LogFileName: 'error/none' })),
    ).rejects.toMatchObject({ name: 'DBLogFileNotFoundFault', $metadata: { httpStatusCode: 404 } });
  });

  it('keeps the number of manual snapshots', async () => {
    const rds = aws.rds();
    await aws.control('PATCH', 'quotas', { manualSnapshots: 2 });
    await expect(
      rds.send(new CreateDBSnapshotCommand({ DBSnapshotIdentifier: 'third', DBInstanceIdentifier: 'source' })),
    ).rejects.toMatchObject({ name: 'SnapshotQuotaExceededFault' });
    for (const id of ['clone', 'safe', 'without', 'lying']) {
      await rds.send(new DeleteDBInstanceCommand({ DBInstanceIdentifier: id, SkipFinalSnapshot: true }));
    }
  });
});

async function logFileName(aws: StandIn, id: string): Promise<string> {
  const { DescribeDBLogFiles } = await aws
    .rds()
    .send(new DescribeDBLogFilesCommand({ DBInstanceIdentifier: id, FilenameContains: 'postgresql.log' }));
  expect(DescribeDBLogFiles?.[0]?.LogFileName).toMatch(/^error\/postgresql\.log\.\d{4}-\d\d-\d\d-\d\d$/);
  return DescribeDBLogFiles?.[0]?.LogFileName ?? '';
}

async function wholeLog(aws: StandIn, id: string): Promise<string> {
  const { LogFileData = '' } = await aws.rds().send(
    new DownloadDBLogFilePortionCommand({
      DBInstanceIdentifier: id,
      LogFileName: await logFileName(aws, id),
      Marker: '0',
    }),
  );
  return LogFileData;
}

/** Whether any file below a directory holds the text. */
function contains(directory: string, text: string): boolean {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .some((entry) => readFileSync(join(entry.parentPath, entry.name)).includes(text));
}
