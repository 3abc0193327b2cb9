import {
  CreateDBParameterGroupCommand,
  ModifyDBInstanceCommand,
  ModifyDBParameterGroupCommand,
  RebootDBInstanceCommand,
} from '@aws-sdk/client-rds';
import type { Client } from 'pg';
import type { Check, CheckCode } from '../../../../plan/checks';
import type { PlanInput } from '../../../../plan/plan';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { SMALLEST_PLAN } from '../../../support/plan';
import { runRemedy } from '../../../support/run-remedy';
import { until } from '../../../support/stand-in';

const INSTANCE = SMALLEST_PLAN.source.instance;
/** A name that has to be quoted wherever it is printed. */
const ODD = 'Odd "name"';

let lab: ActivityLab;
/** What the preflight finds with everything in place. */
let first: readonly Check[];
/** Sessions that stay open: what they do is a finding. */
const sessions: Client[] = [];

/** One finding: what makes it, and what makes it go away. */
interface Case {
  readonly code: CheckCode;
  readonly level: Check['level'];
  readonly message: RegExp;
  /** Run before those of `sql`, by the service: a master user may not. */
  readonly service?: readonly string[];
  /** Statements, each run by itself, and in which database. */
  readonly sql?: readonly string[];
  /** Run after them, by the service. */
  readonly then?: readonly string[];
  readonly database?: string;
  /** Run in a session that stays open. */
  readonly held?: boolean;
  /** It is not made by SQL; see `prepareServer`. */
  readonly parameter?: readonly [name: string, value: string];
  /** Values of the plan that make it go away as well. */
  readonly plan?: Partial<PlanInput>;
  /** There is nothing to run: it only informs, or the plan decides. */
  readonly informs?: boolean;
}

const CASES: readonly Case[] = [
  {
    code: 'replica-identity',
    level: 'block',
    message: /6 tables have no usable .*public\.bare_full/,
    sql: [
      'CREATE TABLE bare_full (what text)',
      'CREATE TABLE bare_index (id int NOT NULL, other int NOT NULL, note text)',
      'CREATE UNIQUE INDEX "Wide" ON bare_index (id, other)',
      'CREATE UNIQUE INDEX "Narrow" ON bare_index (id)',
      'CREATE UNIQUE INDEX partial ON bare_index (other) WHERE other > 0',
      'CREATE TABLE bare_deferrable (id int PRIMARY KEY DEFERRABLE, code int NOT NULL UNIQUE)',
      'CREATE TABLE bare_nothing (id int PRIMARY KEY)',
      'ALTER TABLE bare_nothing REPLICA IDENTITY NOTHING',
      'CREATE TABLE bare_json (doc json)',
      'CREATE TABLE parent (id int, day date NOT NULL) PARTITION BY RANGE (day)',
      `CREATE TABLE parent_2026 PARTITION OF parent FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')`,
    ],
    database: ODD,
  },
  {
    code: 'worker-settings',
    level: 'block',
    message:
      /6 defaults of master .*settled: array_nulls = off, settled: lc_monetary = C, settled: lock_timeout = 5000ms, settled: role = settler, settled: transaction_timeout = 600000ms, settled: xmloption = document/,
    sql: [
      'CREATE TABLE prices (id int PRIMARY KEY, price money)',
      'CREATE ROLE settler',
      'GRANT settler TO CURRENT_USER',
      'ALTER DATABASE settled SET array_nulls = off',
      'ALTER DATABASE settled SET xmloption = document',
      `ALTER ROLE ALL IN DATABASE settled SET transaction_timeout = '10min'`,
      `ALTER DATABASE settled SET lock_timeout = '5s'`,
      'ALTER DATABASE settled SET role = settler',
      `ALTER ROLE CURRENT_USER IN DATABASE settled SET lc_monetary = 'C'`,
      // What somebody else has is no matter.
      'ALTER ROLE settler SET array_nulls = off',
    ],
    database: 'settled',
  },
  {
    code: 'full-identity-types',
    level: 'block',
    message: /full_json .*doc json.*full_point/,
    sql: [
      'CREATE TABLE full_json (id int NOT NULL UNIQUE, doc json)',
      'ALTER TABLE full_json REPLICA IDENTITY FULL',
      'CREATE TABLE full_point (at point, note varchar(9), net cidr, tags text[], made timestamptz)',
      'ALTER TABLE full_point REPLICA IDENTITY FULL',
      'CREATE TABLE full_keyed (id int PRIMARY KEY, doc json)',
      'ALTER TABLE full_keyed REPLICA IDENTITY FULL',
    ],
  },
  {
    code: 'full-identity-equality',
    level: 'warn',
    message:
      /3 tables with .* public\.full_equal \(Amount numeric, rates numeric\[\], at double precision, doc jsonb, span numrange, of public\.price\), \S+ public\.full_index \(v interval\), \S+ public\.full_sounds \(note text\)/,
    sql: [
      'CREATE DOMAIN price AS numeric; CREATE DOMAIN fixed AS numeric(8, 2)',
      `CREATE COLLATION sounds (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
      'CREATE TABLE full_equal ("Amount" numeric, rates numeric[], at float8, doc jsonb, span numrange, "of" price)',
      'CREATE TABLE full_index (id int NOT NULL UNIQUE, v interval)',
      'CREATE TABLE full_sounds (note text COLLATE sounds)',
      `CREATE TABLE full_same (scaled numeric(10, 2), "of" fixed, many numeric(4, 1)[], note text, code char(3), name varchar(9), at timestamptz,
         days daterange, ids int8[], found tsvector, day date, uid uuid, net inet, flags bit(3))`,
      'CREATE TABLE full_key (id int PRIMARY KEY, amount numeric)',
      ...['full_equal', 'full_index', 'full_sounds', 'full_same', 'full_key'].map(
        (t) => `ALTER TABLE ${t} REPLICA IDENTITY FULL`,
      ),
    ],
  },
  {
    code: 'generated-columns',
    level: 'block',
    message:
      /1 generated column in keys .*generated_key\.twice.*1 generated column made of tableoid: shop: public\.generated_of\.origin/,
    sql: [
      'CREATE TABLE generated_key (once int, twice int GENERATED ALWAYS AS (once * 2) STORED PRIMARY KEY)',
      'CREATE TABLE generated_of (id int PRIMARY KEY, origin oid GENERATED ALWAYS AS (tableoid) STORED, half int GENERATED ALWAYS AS (-id / 2) STORED)',
    ],
  },
  {
    code: 'large-objects',
    level: 'block',
    message: /2 large objects/,
    sql: [`SELECT lo_from_bytea(0, 'one'), lo_from_bytea(0, 'two')`],
    plan: { carry: { largeObjects: 'copy' } },
  },
  {
    code: 'unlogged-tables',
    level: 'block',
    message: /sessions_cache/,
    sql: ['CREATE UNLOGGED TABLE sessions_cache (id int PRIMARY KEY)'],
    plan: { carry: { unloggedTables: 'empty' } },
  },
  {
    code: 'unlogged-references',
    level: 'warn',
    message: /1 foreign key .*public\.session_notes refers to public\.visitors \(session_notes_visitor_fkey\)/,
    sql: [
      'CREATE TABLE visitors (id int PRIMARY KEY)',
      'CREATE UNLOGGED TABLE session_notes (id int PRIMARY KEY, visitor int REFERENCES visitors)',
    ],
  },
  {
    code: 'materialized-views',
    level: 'ok',
    message: /1 materialised view, refreshed .*totals/,
    sql: ['CREATE MATERIALIZED VIEW totals AS SELECT 1 AS total'],
    informs: true,
  },
  {
    code: 'foreign-tables',
    level: 'warn',
    message: /elsewhere of server "Far away"/,
    sql: [
      'CREATE EXTENSION postgres_fdw',
      'CREATE SERVER "Far away" FOREIGN DATA WRAPPER postgres_fdw',
      'CREATE FOREIGN TABLE elsewhere (id int) SERVER "Far away"',
    ],
  },
  {
    code: 'sequence-ranges',
    level: 'warn',
    message: /counted_id_seq at 2000000000 of 2147483647 \(93 %\).*small_seq/,
    sql: [
      'CREATE TABLE counted (id serial PRIMARY KEY)',
      `SELECT setval('counted_id_seq', 2000000000)`,
      'CREATE SEQUENCE small_seq MAXVALUE 100',
      `SELECT setval('small_seq', 95)`,
      'CREATE SEQUENCE falling_seq INCREMENT -1',
      'CREATE SEQUENCE cycling_seq MAXVALUE 100 CYCLE',
      `SELECT setval('cycling_seq', 99)`,
    ],
  },
  {
    code: 'always-triggers',
    level: 'ok',
    message: /trigger always_fires .*ENABLE ALWAYS.*trigger replica_fires .*ENABLE REPLICA/,
    sql: [
      'CREATE TABLE watched (id int PRIMARY KEY)',
      'CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$',
      'CREATE TRIGGER always_fires AFTER INSERT ON watched FOR EACH ROW EXECUTE FUNCTION nothing()',
      'ALTER TABLE watched ENABLE ALWAYS TRIGGER always_fires',
      'CREATE TRIGGER replica_fires AFTER INSERT ON watched FOR EACH ROW EXECUTE FUNCTION nothing()',
      'ALTER TABLE watched ENABLE REPLICA TRIGGER replica_fires',
    ],
    informs: true,
  },
  {
    code: 'row-level-security',
    level: 'block',
    message: /tenants \(FORCE\)/,
    sql: [
      'CREATE TABLE tenants (id int PRIMARY KEY)',
      'ALTER TABLE tenants ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
      'GRANT CREATE ON SCHEMA public TO app',
      'ALTER TABLE tenants OWNER TO app',
    ],
  },
  {
    code: 'event-triggers',
    level: 'warn',
    message: /"Audit DDL" on ddl_command_end calls/,
    sql: [
      `BEGIN; CREATE FUNCTION note_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
       CREATE EVENT TRIGGER "Audit DDL" ON ddl_command_end EXECUTE FUNCTION note_ddl(); COMMIT`,
    ],
  },
  {
    code: 'tablespaces',
    level: 'warn',
    message: /spaced in fast/,
    service: [
      'SET allow_in_place_tablespaces = on',
      `CREATE TABLESPACE fast LOCATION ''`,
      'GRANT CREATE ON TABLESPACE fast TO rds_superuser',
    ],
    sql: [
      'CREATE TABLE spaced (id int) TABLESPACE fast',
      'ALTER TABLE spaced ADD PRIMARY KEY (id) USING INDEX TABLESPACE fast',
    ],
  },
  {
    code: 'invalid-indexes',
    level: 'warn',
    message: /3 invalid indexes.*never_valid of public\.doubles/,
    sql: [
      'CREATE TABLE doubles (id int PRIMARY KEY, n int)',
      'INSERT INTO doubles VALUES (1, 1), (2, 1)',
      'CREATE UNIQUE INDEX CONCURRENTLY never_valid ON doubles (n) -- fails',
      'CREATE TABLE split (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)',
      `CREATE TABLE split_2026 PARTITION OF split FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')`,
      'CREATE INDEX split_day ON split (day)',
      'CREATE TABLE booked (id int PRIMARY KEY, during tsrange, CONSTRAINT alone EXCLUDE USING gist (during WITH &&))',
    ],
    then: [
      `UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('split_2026_day_idx'::regclass, 'alone'::regclass)`,
    ],
  },
  {
    code: 'unvalidated-constraints',
    level: 'ok',
    message: /1 constraint NOT VALID.*positive on public\.checked/,
    sql: [
      'CREATE TABLE checked (id int PRIMARY KEY)',
      'ALTER TABLE checked ADD CONSTRAINT positive CHECK (id > 0) NOT VALID',
    ],
  },
  {
    code: 'domain-constraints',
    level: 'block',
    message:
      /2 columns .*public\.stocked\.more \("Positive" of public\.stock\), shop: public\.stocked\.n \("Positive" of public\.stock\)\./,
    sql: [
      'CREATE DOMAIN stock AS int',
      'CREATE DOMAIN over_stock AS stock',
      'CREATE TABLE stocked (id int PRIMARY KEY, n stock, more over_stock, fine stock)',
      'INSERT INTO stocked VALUES (1, -5, -5, NULL), (2, 1, NULL, 1)',
      'ALTER DOMAIN stock ADD CONSTRAINT "Positive" CHECK (VALUE > 0) NOT VALID',
    ],
  },
  {
    code: 'reg-columns',
    level: 'warn',
    message: /registered\.what regclass.*registered\.which regrole\[\]/,
    sql: ['CREATE TABLE registered (id int PRIMARY KEY, what regclass, which regrole[])'],
  },
  {
    code: 'search-path',
    level: 'block',
    message:
      /6 expressions .*constraint orders_code_check on public\.orders \(relation "allowed" does not exist\).*domain public\.code .*generated column kind of public\.kinds .*index public\.by_kind .*index public\.by_kind .*partition key of public\.by_parts/,
    sql: [
      'CREATE TABLE allowed (code text PRIMARY KEY)',
      `INSERT INTO allowed VALUES ('a')`,
      'CREATE FUNCTION is_allowed(c text) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT EXISTS (SELECT FROM allowed WHERE code = c) $$',
      'CREATE FUNCTION "Kind of"(c text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN IF c IS NULL THEN RETURN NULL; END IF; RETURN (SELECT code FROM allowed WHERE code = c); END $$',
      'CREATE FUNCTION part_of(c text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN shout(c); END $$',
      'CREATE FUNCTION shout(c text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN upper(c); END $$',
      'CREATE FUNCTION well(c text) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT EXISTS (SELECT FROM public.allowed WHERE code = c) $$',
      'CREATE DOMAIN code AS text CHECK (is_allowed(VALUE))',
      'CREATE TABLE orders (id int PRIMARY KEY, code text CHECK (is_allowed(code)), CHECK (well(code)), CHECK (shout(code) = upper(code)))',
      `CREATE TABLE kinds (id int PRIMARY KEY, code text, kind text GENERATED ALWAYS AS ("Kind of"(code)) STORED, dflt text DEFAULT "Kind of"('a'))`,
      'CREATE INDEX by_kind ON kinds ("Kind of"(code)) WHERE "Kind of"(code) IS NOT NULL',
      // From PostgreSQL 17 on, the index could not be made any more with the row there.
      `INSERT INTO kinds VALUES (1, 'a')`,
      'CREATE TABLE by_parts (id int NOT NULL, code text) PARTITION BY LIST (part_of(code))',
    ],
  },
  {
    code: 'extensions',
    level: 'warn',
    message: /gone 1\.0/,
    sql: ['CREATE EXTENSION tcn'],
    then: [`UPDATE pg_extension SET extname = 'gone' WHERE extname = 'tcn'`],
  },
  {
    code: 'extension-tables',
    level: 'ok',
    message: /1 table of extensions.*reference_data of citext/,
    sql: [
      'CREATE EXTENSION citext',
      'CREATE TABLE reference_data (id int PRIMARY KEY)',
      'ALTER EXTENSION citext ADD TABLE reference_data',
    ],
    informs: true,
  },
  {
    code: 'collations',
    level: 'warn',
    message: /german 1\.0 is .* now, 1 index/,
    sql: [
      `CREATE COLLATION german (provider = icu, locale = 'de')`,
      'CREATE TABLE words (word text COLLATE german PRIMARY KEY)',
    ],
    then: [`UPDATE pg_collation SET collversion = '1.0' WHERE collname = 'german'`],
  },
  {
    code: 'foreign-publications',
    level: 'ok',
    message: /others_pub \(1 tables, with row filters/,
    sql: [
      'CREATE TABLE published (id int PRIMARY KEY)',
      'CREATE PUBLICATION others_pub FOR TABLE published WHERE (id > 0)',
    ],
    informs: true,
  },
  {
    code: 'cron-jobs',
    level: 'block',
    message: /1 job of pg_cron: 1 \(\* \* \* \* \*\): VACUUM/,
    sql: [
      'CREATE SCHEMA cron',
      'CREATE TABLE cron.job (jobid bigint PRIMARY KEY, schedule text, command text, active boolean)',
      `INSERT INTO cron.job VALUES (1, '* * * * *', 'VACUUM', true), (2, '@daily', 'ANALYZE', false)`,
    ],
    plan: { carry: { cronJobs: 'move' } },
  },
  {
    code: 'partition-maintenance',
    level: 'warn',
    message: /pg_partman maintains 1 table by itself: .*public\.log/,
    sql: [
      'CREATE SCHEMA partman',
      'CREATE TABLE partman.part_config (parent_table text PRIMARY KEY, automatic_maintenance text)',
      `INSERT INTO partman.part_config VALUES ('public.log', 'on'), ('public.still', 'off')`,
    ],
  },
  {
    code: 'calling-out',
    level: 'warn',
    message:
      /calls_lambda on public\.hooked \(aws_lambda\.\).*writes_far on public\.hooked \(foreign table far_orders\)/,
    sql: [
      'CREATE EXTENSION postgres_fdw',
      'CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw',
      'CREATE FOREIGN TABLE far_orders (line text) SERVER far',
      'CREATE TABLE hooked (id int PRIMARY KEY)',
      `CREATE FUNCTION call_lambda() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM aws_lambda.invoke('f', '{}'); RETURN NEW; END $$`,
      `CREATE FUNCTION write_far() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO far_orders VALUES ('x'); RETURN NEW; END $$`,
      'CREATE TRIGGER calls_lambda BEFORE INSERT ON hooked FOR EACH ROW EXECUTE FUNCTION call_lambda()',
      'CREATE TRIGGER writes_far BEFORE INSERT ON hooked FOR EACH ROW EXECUTE FUNCTION write_far()',
    ],
    database: ODD,
  },
  {
    code: 'replication-slots',
    level: 'warn',
    message: /debezium \(test_decoding in shop, read by nobody now\).*standby \(physical/,
    sql: [
      `SELECT pg_create_logical_replication_slot('debezium', 'test_decoding')`,
      `SELECT pg_create_physical_replication_slot('standby')`,
      `SELECT pg_create_physical_replication_slot('rds_eu_central_1_db_replica')`,
    ],
  },
  {
    code: 'source-subscriptions',
    level: 'block',
    message: /subscribes to others \(shop\.From upstream\)/,
    sql: [
      `CREATE SUBSCRIPTION "From upstream" CONNECTION 'host=upstream dbname=x password=none' PUBLICATION p WITH (connect = false)`,
    ],
    plan: { carry: { subscriptions: 'move' } },
  },
  {
    code: 'running-ddl',
    level: 'warn',
    message: /a lock as DDL takes it by master/,
    sql: ['CREATE TABLE altered (id int PRIMARY KEY)', 'BEGIN', 'ALTER TABLE altered ADD COLUMN n int'],
    held: true,
  },
  {
    code: 'prepared-transactions',
    level: 'warn',
    message: /"undecided 'one" of master in postgres/,
    database: 'postgres',
  },
  { code: 'long-transactions', level: 'warn', message: /in postgres for \d+ s/, database: 'postgres' },
  {
    code: 'wal-ceiling',
    level: 'warn',
    message: /is 1000 MiB, and stays/,
    parameter: ['max_slot_wal_keep_size', '1000'],
  },
  { code: 'slot-timeout', level: 'block', message: /is 600 s/, parameter: ['idle_replication_slot_timeout', '600'] },
  { code: 'sender-timeout', level: 'warn', message: /is 1000 ms/, parameter: ['wal_sender_timeout', '1000'] },
  { code: 'decoding-memory', level: 'warn', message: /is 64 kB/, parameter: ['logical_decoding_work_mem', '64'] },
  {
    code: 'source-capacity',
    level: 'block',
    message: /max_logical_replication_workers is 1/,
    parameter: ['max_logical_replication_workers', '1'],
  },
  { code: 'wal-level', level: 'ok', message: /is logical/, informs: true },
  { code: 'commit-timestamps', level: 'ok', message: /is off/, informs: true },
  { code: 'server-version', level: 'ok', message: /no bug that we know/, informs: true },
  { code: 'background-workers', level: 'ok', message: /no extension has/, informs: true },
];

const preflight = async (plan: Partial<PlanInput> = {}): Promise<readonly Check[]> =>
  (await lab.run('runPreflight', migrationRef({ ...SMALLEST_PLAN, ...plan }, 'm-findings'))).checks;
const ofCode = (checks: readonly Check[], code: CheckCode): Check[] => checks.filter((check) => check.code === code);

/** A parameter group with everything wrong, and logical decoding, so that it stays. */
async function prepareServer(): Promise<void> {
  const { rds } = lab.aws();
  const wrong = CASES.flatMap(({ parameter }) => (parameter ? [parameter] : []));
  const all = [...wrong, ['rds.logical_replication', '1'], ['max_prepared_transactions', '5']] as const;
  const group = { DBParameterGroupName: 'own' };
  await rds.send(
    new CreateDBParameterGroupCommand({ ...group, DBParameterGroupFamily: 'postgres18', Description: 'own' }),
  );
  await rds.send(
    new ModifyDBParameterGroupCommand({
      ...group,
      Parameters: all.map(([ParameterName, ParameterValue]) => ({
        ParameterName,
        ParameterValue,
        ApplyMethod: 'pending-reboot',
      })),
    }),
  );
  await rds.send(new ModifyDBInstanceCommand({ DBInstanceIdentifier: INSTANCE, ...group, ApplyImmediately: true }));
  await until('the group waits for a reboot', async () => {
    const { DBParameterGroups: groups, DBInstanceStatus: status } = await lab.standIn.instance(INSTANCE);
    return status === 'available' && groups?.[0]?.ParameterApplyStatus === 'pending-reboot';
  });
  await rds.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: INSTANCE }));
  await until('the reboot is over', async () => {
    const { DBParameterGroups: groups, DBInstanceStatus: status } = await lab.standIn.instance(INSTANCE);
    return status === 'available' && groups?.[0]?.ParameterApplyStatus === 'in-sync';
  });
}

/** Runs the statements of a case in one session, which is kept where the case says so. */
async function make({ service = [], sql = [], then = [], database = 'shop', held = false }: Case): Promise<void> {
  if (service.length > 0) await lab.standIn.asService(INSTANCE, service, database);
  const session = await lab.standIn.connect(INSTANCE, { database });
  for (const statement of sql) {
    await session.query(statement).catch((error: unknown) => {
      if (!statement.endsWith('-- fails')) throw error;
    });
  }
  if (then.length > 0) await lab.standIn.asService(INSTANCE, then, database);
  if (held) sessions.push(session);
  else await session.end();
}

beforeAll(async () => {
  lab = await ActivityLab.open('18');
  await prepareServer();
  await lab.sql(INSTANCE, `CREATE ROLE app LOGIN PASSWORD 'app-password'`);
  await lab.sql(INSTANCE, 'GRANT app TO CURRENT_USER');
  await lab.sql(INSTANCE, 'CREATE DATABASE shop');
  await lab.sql(INSTANCE, 'CREATE DATABASE settled');
  await lab.sql(INSTANCE, `CREATE DATABASE "${ODD.replaceAll('"', '""')}"`);
  for (const one of CASES.filter(({ code }) => code === 'replication-slots')) await make(one);
  const long = await lab.standIn.connect(INSTANCE);
  sessions.push(long);
  await long.query('CREATE TABLE prepared_one (id int PRIMARY KEY)');
  await long.query('CREATE TABLE slow_one (id int PRIMARY KEY)');
  await long.query(`BEGIN; INSERT INTO prepared_one VALUES (1); PREPARE TRANSACTION 'undecided ''one'`);
  await long.query('BEGIN; INSERT INTO slow_one VALUES (1)');
  for (const one of CASES.filter(({ code }) => code !== 'replication-slots')) await make(one);
  first = await preflight();
});
afterAll(async () => {
  await Promise.all(sessions.map((session) => session.end().catch(() => undefined)));
  await lab?.close();
});

/** What takes a while to be one: everything else is tried meanwhile. */
const SLOW: readonly CheckCode[] = ['running-ddl', 'long-transactions'];

it('finds all of it in one run, each with its remedy', async () => {
  for (const { code, level, message } of CASES.filter((one) => !SLOW.includes(one.code))) {
    const [found, ...more] = ofCode(first, code);
    expect({ code, more }).toEqual({ code, more: [] });
    expect(found).toMatchObject({ code, level, message: expect.stringMatching(message) as string });
    if (level !== 'ok') expect(found?.remedy).toBeTruthy();
  }
  expect(first.filter(({ message }) => message.startsWith('This could not be checked'))).toEqual([]);
});

it('prints the cheapest replica identity for each table', () => {
  const [found] = ofCode(first, 'replica-identity');
  expect(found?.remedy?.split('\n').slice(0, 8)).toEqual([
    '-- let Keyshift set and restore 5 of the 6, in the plan: replicaIdentity: set; the others need a key',
    '\\connect "Odd ""name"""',
    'ALTER TABLE public.bare_deferrable REPLICA IDENTITY USING INDEX bare_deferrable_code_key;',
    'ALTER TABLE public.bare_full REPLICA IDENTITY FULL;',
    'ALTER TABLE public.bare_index REPLICA IDENTITY USING INDEX "Narrow";',
    expect.stringMatching(/public\.bare_json ADD COLUMN keyshift_key bigint GENERATED ALWAYS AS IDENTITY/) as string,
    'ALTER TABLE public.bare_nothing REPLICA IDENTITY DEFAULT;',
    'ALTER TABLE public.parent_2026 REPLICA IDENTITY FULL;',
  ]);
});

it('measures how fast the source writes', () => {
  expect(ofCode(first, 'wal-rate')[0]?.evidence).toMatchObject({
    walBytesPerSecond: expect.any(Number) as number,
    expectedHours: 2,
    ceilingMiB: 1_000,
  });
});

describe('the plan', () => {
  it.each(CASES.filter(({ plan }) => plan).map((one) => [one.code, one] as const))(
    'makes %s go away',
    async (code, { plan }) => {
      const [found] = ofCode(await preflight(plan), code);
      expect(found?.level).toBe('ok');
    },
  );
});

describe('the remedy, run as it is printed, makes it go away:', () => {
  const remedied = CASES.filter(({ informs }) => !informs);
  it.each(remedied.map((one) => [one.code, one] as const))('%s', async (code, { message, parameter }) => {
    const found = SLOW.includes(code) ? await untilFound(code, message) : ofCode(first, code)[0];
    await runRemedy(lab, INSTANCE, found?.remedy);
    if (code === 'source-capacity') {
      await lab.aws().rds.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: INSTANCE }));
    }
    const left = async () => ofCode(await preflight(), code).map(({ level, remedy }) => ({ level, remedy }));
    if (parameter) {
      // RDS applies a changed parameter a moment later.
      await until(`${code} is over`, async () => (await left().catch(() => []))[0]?.level === 'ok');
    } else {
      expect(await left()).toEqual([{ level: 'ok', remedy: undefined }]);
    }
  });
});

it('tells of a question that one database refuses, and still asks all others', async () => {
  await lab.sql(INSTANCE, 'CREATE SCHEMA cron; CREATE TABLE cron.job (jobid int PRIMARY KEY)', ODD);
  await lab.sql(INSTANCE, 'UPDATE cron.job SET active = true WHERE jobid = 1', 'shop');
  const checks = await preflight();
  expect(ofCode(checks, 'cron-jobs')).toEqual([
    expect.objectContaining({ level: 'block', message: expect.stringContaining('1 job of pg_cron') as string }),
    expect.objectContaining({
      level: 'warn',
      message: expect.stringContaining(`could not be checked in database ${ODD}`) as string,
    }),
  ]);
  const codes = (list: readonly Check[]) => new Set(list.map(({ code }) => code));
  expect(codes(checks)).toEqual(codes(first));
});

function untilFound(code: CheckCode, message: RegExp): Promise<Check> {
  return until(`there is ${code}`, async () => {
    const [check] = ofCode(await preflight(), code);
    return check && message.test(check.message) && check;
  });
}
