import { PricingClient } from '@aws-sdk/client-pricing';
import { KMSClient } from '@aws-sdk/client-kms';
import { DescribeDBInstancesCommand, DescribeDBSnapshotsCommand, RDSClient } from '@aws-sdk/client-rds';
import { Route53Client } from '@aws-sdk/client-route-53';
import type { DBInstance, DBSnapshot } from '@aws-sdk/client-rds';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SSMClient } from '@aws-sdk/client-ssm';
import { S3Client } from '@aws-sdk/client-s3';
import { EC2Client } from '@aws-sdk/client-ec2';
import { IAMClient } from '@aws-sdk/client-iam';
import { STSClient } from '@aws-sdk/client-sts';
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { readPids } from '../../local/aws/pid-ledger';
import { preparePlaces, removePlaces } from '../../local/aws/places';
import { placesOf } from '../../local/aws/rds/server-configuration';
import { isRunning, signalIfThere } from '../../local/postgres/processes';
import { ADMIN_ROLE } from '../../local/postgres/server';

/** What the embedded AWS says when it is ready. */
interface Ready {
  readonly endpoint: string;
  readonly caBundle: string;
}

/** How often conditions are looked at, and how long we wait for one. */
const POLL_MS = 30;
const PATIENCE_MS = 60_000;

/** SQLSTATE read_only_sql_transaction. */
const READ_ONLY = '25006';

/** The master user of the instances that tests make. */
export const MASTER = { MasterUsername: 'master', MasterUserPassword: 'correct-horse' } as const;

/** An embedded AWS of a test's own, as a process. */
export class StandIn {
  private child: ChildProcess | undefined;
  private ready: Ready = { endpoint: '', caBundle: '' };
  /** For looks that are repeated: a new client, and a new connection, for each look is most of what a test would compute. */
  private looker: RDSClient | undefined;
  readonly stateDir = mkdtempSync(join(tmpdir(), 'keyshift-aws-'));

  private constructor(private readonly timeScale: number) {}

  /** Starts one whose states last `timeScale` times what they last on AWS. */
  static async start(timeScale = 0.001): Promise<StandIn> {
    const standIn = new StandIn(timeScale);
    await standIn.startProcess();
    return standIn;
  }

  /** Starts the process on the state that is there. */
  async startProcess(): Promise<void> {
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', 'local/aws/main.ts', '--state-dir', this.stateDir, '--exit-with-parent'],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { ...process.env, KEYSHIFT_LOCAL_TIME_SCALE: String(this.timeScale), KEYSHIFT_LOCAL_LOG_LEVEL: 'fatal' },
      },
    );
    this.child = child;
    this.looker?.destroy();
    this.looker = undefined;
    this.ready = await new Promise<Ready>((resolve, reject) => {
      createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line) as Ready));
      child.once('exit', (code) => reject(new Error(`the stand-in ended with ${code}`)));
    });
  }

  /** Ends the process and waits for its end; answers its exit code. */
  async stopProcess(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return null;
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    return ended;
  }

  /** Ends everything that was started and removes everything that was written. */
  async remove(): Promise<void> {
    await this.stopProcess();
    this.looker?.destroy();
    const left = readPids(this.stateDir).filter(({ pid, startTime }) => isRunning(pid, startTime));
    for (const { pid } of left) signalIfThere(pid, 'SIGKILL');
    await until('servers end', async () => left.every(({ pid, startTime }) => !isRunning(pid, startTime)));
    removePlaces(this.stateDir);
  }

  get endpoint(): string {
    return this.ready.endpoint;
  }

  /** Clients that try once only, unless asked otherwise, so that tests see every answer. */
  rds(options: { readonly region?: string; readonly maxAttempts?: number } = {}): RDSClient {
    return new RDSClient({ ...this.settings(), ...options });
  }

  private look(): RDSClient {
    return (this.looker ??= this.rds());
  }

  kms(endpoint?: string): KMSClient {
    return new KMSClient(this.settings(endpoint));
  }

  secrets(endpoint?: string): SecretsManagerClient {
    return new SecretsManagerClient(this.settings(endpoint));
  }

  ssm(endpoint?: string): SSMClient {
    return new SSMClient(this.settings(endpoint));
  }

  ec2(): EC2Client {
    return new EC2Client(this.settings());
  }

  iam(): IAMClient {
    return new IAMClient(this.settings());
  }

  sts(endpoint?: string): STSClient {
    return new STSClient(this.settings(endpoint));
  }

  s3(endpoint?: string): S3Client {
    return new S3Client({ ...this.settings(endpoint), forcePathStyle: true });
  }

  route53(endpoint?: string): Route53Client {
    return new Route53Client(this.settings(endpoint));
  }

  cloudwatch(): CloudWatchClient {
    return new CloudWatchClient(this.settings());
  }

  pricing(): PricingClient {
    return new PricingClient({ ...this.settings(), region: 'us-east-1' });
  }

  logs(endpoint?: string): CloudWatchLogsClient {
    return new CloudWatchLogsClient(this.settings(endpoint));
  }

  /** @param endpoint of another stand-in than this one */
  settings(endpoint = this.endpoint) {
    return {
      endpoint,
      region: 'eu-central-1',
      maxAttempts: 1,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    };
  }

  /** Calls the stand-in's own API. */
  async control(method: string, path: string, body?: object): Promise<unknown> {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    const response = await fetch(`${this.endpoint}/_keyshift/${path}`, init);
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
    return response.json();
  }

  async instance(id: string): Promise<DBInstance> {
    const { DBInstances } = await this.look().send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: id }));
    return DBInstances?.[0] ?? {};
  }

  async snapshot(id: string): Promise<DBSnapshot> {
    const { DBSnapshots } = await this.look().send(new DescribeDBSnapshotsCommand({ DBSnapshotIdentifier: id }));
    return DBSnapshots?.[0] ?? {};
  }

  /** What the instance of a resource id is called now; waits while it is nowhere. */
  nameOf(resourceId: string): Promise<string> {
    return until(`an instance of ${resourceId}`, async () => {
      const { DBInstances = [] } = await this.look().send(new DescribeDBInstancesCommand({}));
      return DBInstances.find(({ DbiResourceId }) => DbiResourceId === resourceId)?.DBInstanceIdentifier ?? false;
    });
  }

  untilInstance(id: string, status = 'available'): Promise<DBInstance> {
    return until(`instance ${id} is ${status}`, async () => {
      const instance = await this.instance(id);
      return instance.DBInstanceStatus === status && instance;
    });
  }

  untilSnapshot(id: string, status = 'available'): Promise<DBSnapshot> {
    return until(`snapshot ${id} is ${status}`, async () => {
      const snapshot = await this.snapshot(id);
      return snapshot.Status === status && snapshot;
    });
  }

  /** A session with TLS, verified against the bundle as users of RDS do. `options`: settings, as `-c name=value`. */
  async connect(
    id: string,
    options: {
      database?: string;
      user?: string;
      password?: string | (() => Promise<string>);
      replication?: boolean;
      options?: string;
    } = {},
  ): Promise<Client> {
    const { Endpoint } = await this.instance(id);
    const client = new Client({
      host: Endpoint?.Address ?? '',
      port: Endpoint?.Port ?? 0,
      user: options.user ?? MASTER.MasterUsername,
      password: options.password ?? MASTER.MasterUserPassword,
      database: options.database ?? 'postgres',
      ssl: { ca: readFileSync(this.ready.caBundle, 'utf8'), rejectUnauthorized: true },
      // pg knows the parameter, its types don't.
      ...(options.replication ? { replication: 'database' } : {}),
      ...(options.options === undefined ? {} : { options: options.options }),
    });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  /**
   * Runs one statement in a session of its own and answers its rows. It writes even where read-only is the default (the fence, the
   * quarantine of a target): as somebody does who means to.
   */
  async query<Row extends object>(id: string, statement: string, database = 'postgres'): Promise<Row[]> {
    const client = await this.connect(id, { database });
    try {
      return (await client.query<Row>(statement)).rows;
    } catch (error) {
      if ((error as { code?: string }).code !== READ_ONLY) throw error;
      // A statement with a BEGIN of its own leaves its transaction open.
      await client.query('ROLLBACK; SET default_transaction_read_only = off');
      return (await client.query<Row>(statement)).rows;
    } finally {
      await client.end();
    }
  }

  /** Runs statements as `rdsadmin`, over the server's Unix socket: for what only the service can do on RDS, and no master user. Answers the rows of the last. */
  async asService<Row extends object>(
    id: string,
    statements: string | readonly string[],
    database = 'postgres',
  ): Promise<Row[]> {
    return this.withService(id, database, async (client) => {
      let rows: Row[] = [];
      for (const statement of [statements].flat()) ({ rows } = await client.query<Row>(statement));
      return rows;
    });
  }

  /** A session of `rdsadmin`, who sees everything: for what looks from outside. */
  async withService<Result>(id: string, database: string, work: (client: Client) => Promise<Result>): Promise<Result> {
    const { DbiResourceId = '', Endpoint } = await this.instance(id);
    const { socketDir } = placesOf(preparePlaces(this.stateDir), { resourceId: DbiResourceId });
    const options = '-c default_transaction_read_only=off';
    const client = new Client({ host: socketDir, port: Endpoint?.Port ?? 0, user: ADMIN_ROLE, database, options });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }
}

/** Waits until the condition answers something; never longer than our patience lasts. */
export async function until<Value>(
  what: string,
  condition: () => Promise<Value | false | undefined>,
  patienceMs = PATIENCE_MS,
): Promise<Value> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const value = await condition();
    if (value !== false && value !== undefined) return value;
    if (Date.now() > deadline) throw new Error(`waited ${patienceMs} ms in vain until ${what}`);
    await sleep(POLL_MS);
  }
}
