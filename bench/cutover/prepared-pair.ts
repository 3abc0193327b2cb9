import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateDBParameterGroupCommand,
  ModifyDBInstanceCommand,
  ModifyDBParameterGroupCommand,
  RebootDBInstanceCommand,
} from '@aws-sdk/client-rds';
import { PutParameterCommand } from '@aws-sdk/client-ssm';
import { Client } from 'pg';
import type { Login } from '../../local/app/databases';
import { Pooler } from '../../local/pgbouncer/pooler';
import type { Databases } from '../../local/pgbouncer/configuration';
import { findPgBouncer } from '../../local/tools/pgbouncer';
import { silently } from '../../local/tools/report';
import { ProcessRegistry } from '../../local/world/process-registry';
import { slotName, subscriptionName } from '../../plan/names';
import type { Plan, PlanInput } from '../../plan/plan';
import { ActivityLab, migrationRef } from '../../test/support/activity-lab';
import { SMALLEST_PLAN } from '../../test/support/plan';
import { MASTER, until } from '../../test/support/stand-in';
import type { HandPair } from './by-hand';

/** What there is to be moved. */
export interface Scenario {
  readonly databases: number;
  /** In all databases together, those of columns not counted. */
  readonly sequences: number;
}

/**
 * Who moves the traffic. `by-hand` and `pgbouncer` have PgBouncer in front; with `sql`, clients read their endpoint from an SSM parameter, as
 * without a pooler.
 */
export type Mover = 'by-hand' | 'pgbouncer' | 'sql';

const APP: Login = { user: 'app', password: 'app-password' };
const ADMIN: Login = { user: 'keyshift_pooler', password: 'console' };
/** SSM parameter from which clients read their endpoint. */
export const PARAMETER = '/bench/endpoint';
const POOLER_SECRET = 'bench-pooler';
const GROUP = 'bench';
const MARK = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff';

/** Room for fifty databases, and nothing that waits for a reboot later. */
const PARAMETERS = {
  'rds.logical_replication': '1',
  max_slot_wal_keep_size: '10240',
  max_connections: '800',
  max_replication_slots: '80',
  max_wal_senders: '80',
  max_logical_replication_workers: '80',
  max_worker_processes: '120',
  max_locks_per_transaction: '512',
};

/**
 * Source and target as they are before the pause: restored from a snapshot, subscribed, caught up. Made by the product's own activities, so
 * that whoever is measured has the same in front of him.
 */
export class PreparedPair {
  readonly lab: ActivityLab;
  readonly databases: readonly string[];
  ref: { id: string; plan: Plan; sourceResourceId?: string };
  /** What is in front of the source, except where clients read their endpoint from a parameter. */
  pooler: Pooler | undefined;
  private readonly folder = mkdtempSync(join(tmpdir(), 'keyshift-bench-'));
  private readonly open: Client[] = [];

  private constructor(
    lab: ActivityLab,
    private readonly scenario: Scenario,
    private readonly mover: Mover,
  ) {
    this.lab = lab;
    this.databases = Array.from({ length: scenario.databases }, (_, index) => `bench_${index + 1}`);
    this.ref = migrationRef();
  }

  /** @param stage what else the plan switches with; called when there is a source, and nothing of a migration yet */
  static async make(
    scenario: Scenario,
    mover: Mover,
    stage?: (pair: PreparedPair) => Promise<PlanInput['cutover']>,
  ): Promise<PreparedPair> {
    const pair = new PreparedPair(await ActivityLab.open(), scenario, mover);
    try {
      await pair.prepare(stage);
      return pair;
    } catch (error) {
      await pair.close();
      throw error;
    }
  }

  /** What activities of the pause are called with. */
  get input(): { id: string; plan: Plan; sourceResourceId?: string; databases: readonly string[] } {
    return { ...this.ref, databases: this.databases };
  }

  /** The same for another mover, which finds the same servers. */
  inputOf(mover: Mover): { id: string; plan: Plan; databases: readonly string[] } {
    return { ...migrationRef(this.plan(mover), this.ref.id), databases: this.databases };
  }

  /** Where clients connect to, and how. */
  async clients(
    mover: Mover = this.mover,
  ): Promise<{ endpoint: LoadEndpoint; user: string; password: string; ca?: string }> {
    if (this.pooler && mover !== 'sql') return { endpoint: this.pooler.endpoint, ...APP };
    const { endpoint, region } = this.lab.standIn.settings();
    const ca = this.lab.dependencies.rdsCaBundle;
    return { endpoint: { aws: { endpoint, region }, parameter: PARAMETER }, ...APP, ca };
  }

  /** For the script: sessions as superuser on both sides of each database. */
  async byHand(): Promise<HandPair[]> {
    for (const database of this.databases) {
      // The product closes the target until it opens it itself; the script's would not have been closed.
      await this.lab.sql('app-db-encrypted', `ALTER DATABASE ${database} RESET default_transaction_read_only`);
    }
    return Promise.all(
      this.databases.map(async (database) => ({
        source: await this.session('app-db', database),
        target: await this.session('app-db-encrypted', database),
        subscription: subscriptionName(this.ref, database),
        slot: slotName(this.ref, database),
      })),
    );
  }

  /** For the script: the pooler, and how to point it at the target. */
  async poolerByHand(): Promise<{ console: Client; rewrite: () => void }> {
    const { pooler } = this;
    if (!pooler) throw new Error('there is no pooler in front');
    const console = new Client({ host: pooler.host, port: pooler.port, ...ADMIN, database: 'pgbouncer' });
    await console.connect();
    this.open.push(console);
    const target = await this.on('app-db-encrypted');
    return { console, rewrite: () => pooler.rewrite(target) };
  }

  /** Entries of the pooler that lead to an instance. */
  async on(instance: string): Promise<Databases> {
    const { Endpoint } = await this.lab.standIn.instance(instance);
    const address = { host: Endpoint?.Address ?? '', port: Endpoint?.Port ?? 0 };
    return Object.fromEntries(this.databases.map((name) => [name, address]));
  }

  /** Ends the sessions of the script: the product would take them for an application's. */
  async endSessions(): Promise<void> {
    for (const client of this.open.splice(0)) await client.end().catch(() => undefined);
  }

  async close(): Promise<void> {
    await this.endSessions();
    await this.pooler?.stop();
    await this.lab.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async prepare(stage?: (pair: PreparedPair) => Promise<PlanInput['cutover']>): Promise<void> {
    await this.makeRoom();
    await this.fill();
    if (this.mover !== 'sql') await this.startPooler();
    const { Endpoint } = await this.lab.standIn.instance('app-db');
    const Value = `${Endpoint?.Address}:${Endpoint?.Port}`;
    await this.lab.aws().ssm.send(new PutParameterCommand({ Name: PARAMETER, Type: 'String', Value }));
    const cutover = await stage?.(this);
    const plan = { ...this.plan(this.mover), ...(cutover ? { cutover } : {}) };
    this.ref = migrationRef(plan, `b-${randomUUID().slice(0, 8)}`);
    await this.clone();
  }

  /** As the embedded AWS starts an instance, it has room for a few databases. */
  private async makeRoom(): Promise<void> {
    const { rds } = this.lab.aws();
    await rds.send(
      new CreateDBParameterGroupCommand({
        DBParameterGroupName: GROUP,
        DBParameterGroupFamily: 'postgres16',
        Description: 'room for the bench',
      }),
    );
    const Parameters = Object.entries(PARAMETERS).map(([ParameterName, ParameterValue]) => ({
      ParameterName,
      ParameterValue,
      ApplyMethod: 'pending-reboot' as const,
    }));
    await rds.send(new ModifyDBParameterGroupCommand({ DBParameterGroupName: GROUP, Parameters }));
    await rds.send(
      new ModifyDBInstanceCommand({
        DBInstanceIdentifier: 'app-db',
        DBParameterGroupName: GROUP,
        ApplyImmediately: true,
      }),
    );
    await until('the group is there', async () => {
      const instance = await this.lab.standIn.instance('app-db');
      const [group] = instance.DBParameterGroups ?? [];
      const settled = group?.DBParameterGroupName === GROUP && group.ParameterApplyStatus === 'pending-reboot';
      return settled && instance.DBInstanceStatus === 'available';
    });
    await rds.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: 'app-db' }));
    await until('the group is in force', async () => {
      const instance = await this.lab.standIn.instance('app-db');
      const inSync = instance.DBParameterGroups?.[0]?.ParameterApplyStatus === 'in-sync';
      return inSync && instance.DBInstanceStatus === 'available';
    });
  }

  private async fill(): Promise<void> {
    const { databases, sequences } = this.scenario;
    await this.lab.sql('app-db', `CREATE ROLE ${APP.user} LOGIN PASSWORD '${APP.password}'`);
    const each = Math.ceil(sequences / databases);
    for (const database of this.databases) {
      await this.lab.sql('app-db', `CREATE DATABASE ${database}`);
      await this.lab.sql(
        'app-db',
        `CREATE TABLE orders (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, note text);
         CREATE TABLE stock (id integer PRIMARY KEY, units bigint NOT NULL);
         INSERT INTO stock SELECT n, 0 FROM generate_series(1, 100) AS n;
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${APP.user}`,
        database,
      );
      // In transactions of a thousand: each sequence takes a lock until the end of one.
      for (let from = 1; from <= each; from += 1_000) {
        const last = Math.min(each, from + 999);
        await this.lab.sql(
          'app-db',
          `DO $$ BEGIN FOR n IN ${from}..${last} LOOP
             EXECUTE format('CREATE SEQUENCE %I', 'number_' || n); PERFORM nextval(format('%I', 'number_' || n));
           END LOOP; END $$`,
          database,
        );
      }
    }
  }

  private async startPooler(): Promise<void> {
    const { path: program } = await findPgBouncer({ report: silently });
    this.pooler = await Pooler.start({
      program,
      folder: join(this.folder, 'pgbouncer'),
      logFile: join(this.folder, 'pgbouncer.log'),
      registry: new ProcessRegistry(join(this.folder, 'processes.json')),
      databases: await this.on('app-db'),
      users: [APP],
      admin: ADMIN,
      ca: this.lab.dependencies.rdsCaBundle,
    });
    await this.lab.secret(POOLER_SECRET, ADMIN.user, ADMIN.password, 'pooler');
  }

  private plan(mover: Mover): PlanInput {
    return { ...SMALLEST_PLAN, databases: [...this.databases], ...this.cutover(mover) };
  }

  private cutover(mover: Mover): Pick<PlanInput, 'cutover'> {
    const { pooler } = this;
    if (mover === 'sql') return { cutover: { traffic: [{ type: 'ssm-parameter', name: PARAMETER }] } };
    if (mover === 'by-hand' || !pooler) return {};
    return {
      cutover: {
        poolers: [{ host: pooler.host, port: pooler.port, secret: POOLER_SECRET, tls: 'off' }],
        fence: [{ type: 'pgbouncer' }],
        traffic: [{ type: 'pgbouncer', file: pooler.databasesFile }],
      },
    };
  }

  /** From the preflight to a target that has caught up. */
  private async clone(): Promise<void> {
    const { lab, ref, input } = this;
    const { source, checks } = await lab.run('runPreflight', ref);
    if (!source) throw new Error(`the preflight blocks: ${JSON.stringify(checks)}`);
    await lab.run('createAccess', ref);
    await lab.run('createPublications', { ...input, mark: MARK });
    const slots = await lab.run('createSlots', input);
    await lab.run('createSnapshot', ref);
    const encrypted = { ...ref, kmsKeyArn: source.targetKmsKeyArn };
    await lab.run('copySnapshot', encrypted);
    await lab.run('restoreTarget', encrypted);
    const position = await lab.run('readPosition', { ...ref, slots });
    await lab.run('quarantineClone', { ...input, mark: MARK });
    await lab.run('createSubscriptions', { ...input, position: position.lsn });
    await lab.run('enableSubscriptions', { ...input, position: position.lsn });
    await lab.run('applySettings', ref);
    await lab.run('prepareWayBack', input);
    await lab.run('waitForCatchUp', input);
  }

  private async session(instance: string, database: string): Promise<Client> {
    const { MasterUsername: user, MasterUserPassword: password } = MASTER;
    const client = await this.lab.standIn.connect(instance, { database, user, password });
    this.open.push(client);
    return client;
  }
}

export type LoadEndpoint = string | { aws: { endpoint: string; region: string }; parameter: string };
