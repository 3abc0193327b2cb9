import { randomBytes } from 'node:crypto';
import { CreateAliasCommand, CreateKeyCommand } from '@aws-sdk/client-kms';
import {
  CreateDBInstanceCommand,
  CreateDBParameterGroupCommand,
  ModifyDBParameterGroupCommand,
} from '@aws-sdk/client-rds';
import { CreateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { PutParameterCommand } from '@aws-sdk/client-ssm';
import { Client } from 'pg';
import { SAMPLE } from '../../../local/app/names';
import { addressOf, describeInstance } from '../../../local/app/source';
import type { World } from '../../../local/world/world';
import { awsOf, eventually } from './worlds';

/** A database with what seventeen years bring: everything that replication leaves behind, and what a copy would do twice. */

export const UPSTREAM = 'upstream-db';
const MASTER = { user: SAMPLE.masterUser, password: randomBytes(18).toString('base64url') };
const APP = { user: 'app', password: randomBytes(18).toString('base64url') };

/** Sessions of a test by instance, as master unless told otherwise. */
export async function connect(
  world: World,
  instance: string,
  database = 'shop',
  login: { user: string; password: string } = MASTER,
): Promise<Client> {
  const found = await describeInstance(awsOf(world), instance);
  if (!found) throw new Error(`no instance ${instance}`);
  const { host, port, ca } = addressOf(found, world.caBundle);
  const client = new Client({ host, port, database, ...login, ssl: ca ? { ca } : false, application_name: 'test' });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

export const connectAsApp = (world: World, instance: string): Promise<Client> => connect(world, instance, 'shop', APP);

/** Rows of one statement in a session of its own. */
export async function ask<Row extends object>(
  world: World,
  instance: string,
  sql: string,
  database = 'shop',
): Promise<Row[]> {
  const client = await connect(world, instance, database);
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** The servers, before anybody thinks of encryption: the source, and another one from which it subscribes. */
export async function createHistory(world: World): Promise<void> {
  const aws = awsOf(world);
  const { KeyMetadata } = await aws.kms.send(new CreateKeyCommand({}));
  await aws.kms.send(new CreateAliasCommand({ AliasName: SAMPLE.keyAlias, TargetKeyId: KeyMetadata?.KeyId }));
  const SecretString = JSON.stringify({ username: MASTER.user, password: MASTER.password });
  await aws.secrets.send(new CreateSecretCommand({ Name: SAMPLE.masterSecret, SecretString }));
  await createInstance(world, UPSTREAM, { 'rds.logical_replication': '1' });
  await createInstance(world, SAMPLE.instance, {
    'rds.logical_replication': '1',
    shared_preload_libraries: 'pg_stat_statements,pg_cron',
    'cron.database_name': 'shop',
  });
  const upstream = await available(world, UPSTREAM);
  const source = await available(world, SAMPLE.instance);
  await aws.ssm.send(
    new PutParameterCommand({
      Name: SAMPLE.endpointParameter,
      Type: 'String',
      Value: `${source.host}:${source.port}`,
    }),
  );
  await ask(
    world,
    UPSTREAM,
    'CREATE TABLE feed (id bigint PRIMARY KEY, note text); CREATE PUBLICATION feed_pub FOR TABLE feed',
    'postgres',
  );
  await ask(
    world,
    SAMPLE.instance,
    `CREATE ROLE app LOGIN PASSWORD '${APP.password}'; CREATE ROLE reader; GRANT app TO CURRENT_USER`,
    'postgres',
  );
  await ask(world, SAMPLE.instance, 'CREATE DATABASE shop', 'postgres');
  await ask(world, SAMPLE.instance, CONTENTS);
  const conninfo = `host=${upstream.host} port=${upstream.port} dbname=postgres user=${MASTER.user} password=${MASTER.password} sslmode=require`;
  await ask(world, SAMPLE.instance, `CREATE SUBSCRIPTION feed_sub CONNECTION '${conninfo}' PUBLICATION feed_pub`);
  await ask(world, SAMPLE.instance, `SELECT pg_create_logical_replication_slot('debezium', 'test_decoding')`);
}

async function createInstance(world: World, name: string, parameters: Record<string, string>): Promise<void> {
  const { rds } = awsOf(world);
  const group = `${name}-params`;
  await rds.send(
    new CreateDBParameterGroupCommand({
      DBParameterGroupName: group,
      DBParameterGroupFamily: 'postgres16',
      Description: group,
    }),
  );
  await rds.send(
    new ModifyDBParameterGroupCommand({
      DBParameterGroupName: group,
      Parameters: Object.entries(parameters).map(([ParameterName, ParameterValue]) => ({
        ParameterName,
        ParameterValue,
        ApplyMethod: 'pending-reboot',
      })),
    }),
  );
  await rds.send(
    new CreateDBInstanceCommand({
      DBInstanceIdentifier: name,
      Engine: 'postgres',
      EngineVersion: '16',
      DBInstanceClass: 'db.m6g.large',
      AllocatedStorage: 20,
      StorageType: 'gp3',
      MasterUsername: MASTER.user,
      MasterUserPassword: MASTER.password,
      DBParameterGroupName: group,
    }),
  );
}

const available = (world: World, name: string) =>
  eventually(
    `${name} is available`,
    async () => {
      const found = await describeInstance(awsOf(world), name);
      return found?.DBInstanceStatus === 'available' && addressOf(found, world.caBundle);
    },
    { timeoutMs: 300_000, everyMs: 100 },
  );

/** A tick knows on which server it was made: each listens on an address of its own. */
const CONTENTS = `
  CREATE TABLE orders (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, note text NOT NULL);
  CREATE TABLE order_log (id bigserial PRIMARY KEY, order_id bigint NOT NULL);
  CREATE FUNCTION log_order() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO public.order_log (order_id) VALUES (NEW.id); RETURN NULL; END $$;
  CREATE TRIGGER logged AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION log_order();
  ALTER TABLE orders ENABLE ALWAYS TRIGGER logged;
  INSERT INTO orders (note) SELECT 'old ' || n FROM generate_series(1, 500) AS n;

  CREATE TABLE feed (id bigint, note text);
  ALTER TABLE feed REPLICA IDENTITY FULL;
  CREATE TABLE feed_log (id bigserial PRIMARY KEY, feed_id bigint NOT NULL);
  CREATE FUNCTION log_feed() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO public.feed_log (feed_id) VALUES (NEW.id); RETURN NULL; END $$;
  CREATE TRIGGER logged AFTER INSERT ON feed FOR EACH ROW EXECUTE FUNCTION log_feed();
  ALTER TABLE feed ENABLE REPLICA TRIGGER logged;

  CREATE TABLE parents (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, half int, whole int GENERATED ALWAYS AS (half * 2) STORED);
  CREATE TABLE children (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent int REFERENCES parents);
  INSERT INTO parents (half) SELECT n FROM generate_series(1, 40) AS n;
  INSERT INTO children (parent) SELECT n FROM generate_series(1, 40) AS n;

  CREATE SCHEMA numbers;
  DO $$ BEGIN FOR n IN 1..2000 LOOP
    EXECUTE format('CREATE SEQUENCE numbers.s%s', n);
    IF n % 7 <> 0 THEN PERFORM setval(format('numbers.s%s', n)::regclass, n); END IF;
  END LOOP; END $$;

  SELECT lo_from_bytea(50000 + n, convert_to('object ' || n, 'UTF8')) FROM generate_series(1, 30) AS n;
  SELECT lo_from_bytea(60000, decode(repeat('c0ffee', 700000), 'hex'));
  ALTER LARGE OBJECT 50003 OWNER TO app;
  GRANT SELECT ON LARGE OBJECT 50004 TO reader;

  CREATE UNLOGGED TABLE carts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what jsonb, size int GENERATED ALWAYS AS (length(what::text)) STORED);
  INSERT INTO carts (what) SELECT jsonb_build_object('n', n, 'x', E'a\\tb') FROM generate_series(1, 3000) AS n;

  CREATE MATERIALIZED VIEW order_count AS SELECT count(*) AS orders FROM orders;
  CREATE MATERIALIZED VIEW order_double AS SELECT orders * 2 AS twice FROM order_count;
  CREATE MATERIALIZED VIEW never_filled AS SELECT 1 AS one WITH NO DATA;

  CREATE EXTENSION pg_cron;
  CREATE TABLE ticks (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), job text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp(),
    server text NOT NULL DEFAULT current_setting('listen_addresses'));
  SELECT cron.schedule('tick', '* * * * *', $$INSERT INTO ticks (job) VALUES ('tick')$$),
         cron.schedule('later', '* * * * *', $$INSERT INTO ticks (job) VALUES ('later')$$),
         cron.schedule('never', '* * * * *', $$INSERT INTO ticks (job) VALUES ('never')$$);
  UPDATE cron.job SET active = false WHERE jobname <> 'tick';
  GRANT ALL ON ALL TABLES IN SCHEMA public TO app; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app`;

/** Somebody who writes, statement by statement, until told to stop or refused. Knows what was acknowledged. */
export class Writer {
  readonly acknowledged: number[] = [];
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(
    private readonly client: Client,
    private readonly sql: (n: number) => string,
    everyMs = 20,
  ) {
    this.#done = this.#write(everyMs);
  }

  async #write(everyMs: number): Promise<void> {
    for (let n = 1; !this.#stopped; n++) {
      try {
        await this.client.query(this.sql(n));
      } catch {
        return; // fenced
      }
      this.acknowledged.push(n);
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
    await this.client.end().catch(() => undefined);
  }
}
