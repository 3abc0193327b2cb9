import type { Client } from 'pg';
import type { CutOverResult } from '../../../../activities/cutover/cut-over-input';
import { waitFor } from '../../../../local/world/wait-for';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import {
  captureAndClone,
  createApplication,
  DATABASES,
  fenceOf,
  ordersOf,
  type Steps,
  subscribe,
} from '../../../support/migration-steps';
import { SMALLEST_PLAN } from '../../../support/plan';
import { allowPreparedTransactions } from '../../../support/prepared-transactions';

const TARGET = 'app-db-encrypted';
const ROLES = ['app', 'boss', 'bypass', 'clerk', 'creator', 'maker', 'stubborn'] as const;
type Role = (typeof ROLES)[number];

/** What each of them does before the fence, and what it would have the server commit behind it. */
const BEFORE: Readonly<Record<Role, string>> = {
  app: 'BEGIN',
  boss: 'SET default_transaction_read_only = off',
  bypass: 'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE',
  clerk: `BEGIN; INSERT INTO orders (note) VALUES ('of clerk, never committed')`,
  creator: `SELECT set_config('default_transaction_read_only', 'off', false)`,
  maker: 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM orders',
  stubborn: 'SELECT 1',
};

const ref = migrationRef({
  ...SMALLEST_PLAN,
  databases: [...DATABASES],
  cutover: { pauseBudgetMs: 3_000, spareRoles: ['counter'] },
});
const input = { ...ref, databases: DATABASES };
const FENCE_TABLE = `keyshift_${ref.id.replaceAll('-', '_')}.fence`;

let lab: ActivityLab;
let steps: Steps;
const opened: Client[] = [];
const loops: { stop: () => Promise<unknown> }[] = [];

async function connect(user: Role | 'newcomer' | 'counter', options = ''): Promise<Client> {
  const login = { database: 'shop', user, password: `${user}-password`, options };
  const client = await lab.standIn.connect('app-db', login);
  opened.push(client);
  return client;
}

const order = (note: string) => `INSERT INTO orders (note) VALUES ('${note}')`;
const onSource = <Row extends object>(statement: string, database = 'shop') =>
  lab.sql<Row>('app-db', statement, database);
const notesOf = async (instance: string) => (await ordersOf(lab, instance, 'shop')).join('\n');

/** One session per role, each in its own kind of readiness to write. */
async function sessions(): Promise<Record<Role, Client>> {
  const made = {} as Record<Role, Client>;
  for (const role of ROLES) {
    made[role] = await connect(role);
    await made[role].query(BEFORE[role]);
  }
  return made;
}

/** Everything that says who may do what on the source. */
async function rights(): Promise<unknown[]> {
  const server = await onSource(
    `SELECT to_jsonb(r) AS "right" FROM (SELECT * FROM pg_roles ORDER BY rolname) AS r
      UNION ALL SELECT to_jsonb(m) FROM (SELECT roleid::regrole, member::regrole, admin_option FROM pg_auth_members ORDER BY 1, 2) AS m
      UNION ALL SELECT to_jsonb(d) FROM (SELECT datname, datdba, datallowconn, datconnlimit, datacl::text FROM pg_database ORDER BY 1) AS d
      UNION ALL SELECT to_jsonb(s) FROM (SELECT * FROM pg_db_role_setting ORDER BY setdatabase, setrole) AS s`,
  );
  const within = await Promise.all(
    DATABASES.map((database) =>
      onSource(
        `SELECT c.oid::regclass::text AS name, c.relowner::regrole::text AS owner, c.relacl::text AS acl FROM pg_class c
          WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1`,
        database,
      ),
    ),
  );
  return [...server, ...within];
}

/** An application that logs in, writes a row, and goes, for as long as it is let; and what it was told of each row. */
function reconnecting(user: Role): { stop: () => Promise<string[]>; refused: () => string | undefined } {
  const acknowledged: string[] = [];
  let refused: string | undefined;
  let stopped = false;
  const loop = async () => {
    for (let n = 1; !stopped; n += 1) {
      const login = { database: 'shop', user, password: `${user}-password` };
      const client = await lab.standIn.connect('app-db', login).catch((error: Error) => void (refused = error.message));
      try {
        await client?.query(order(`of the loop ${n}.`));
        if (client) acknowledged.push(`of the loop ${n}.`);
      } catch (error) {
        refused = (error as Error).message;
      } finally {
        await client?.end().catch(() => undefined);
      }
    }
  };
  const done = loop();
  const running = {
    refused: () => refused,
    async stop() {
      stopped = true;
      await done;
      return acknowledged;
    },
  };
  loops.push(running);
  return running;
}

/** A session that writes row after row for as long as it is let, and what it was told of each. */
function writing(client: Client, name: string): { acknowledged: string[]; ended: Promise<string> } {
  opened.push(client);
  const acknowledged: string[] = [];
  const loop = async () => {
    for (let n = 1; ; n += 1) {
      try {
        await client.query(order(`of ${name} ${n}.`));
        acknowledged.push(`of ${name} ${n}.`);
      } catch (error) {
        return (error as Error).message;
      }
    }
  };
  return { acknowledged, ended: loop() };
}

/** Whoever takes the name of our sessions, and one who writes by the replication protocol. */
async function impostors(): Promise<ReturnType<typeof writing>[]> {
  const options = `-c application_name=keyshift/${ref.id}/pause`;
  const at = { database: 'shop', options };
  return [
    writing(await connect('app', options), 'an application with our name'),
    writing(await lab.standIn.connect('app-db', at), 'a master user with our name'),
    writing(
      await lab.standIn.connect('app-db', { ...at, user: 'boss', password: 'boss-password', replication: true }),
      'a walsender',
    ),
  ];
}

/** Server processes that somebody of whom no view tells yet is logging in to. */
async function loginsUnderWay(): Promise<number> {
  const [row] = await onSource<{ count: number }>(
    `SELECT count(*)::int AS count FROM pg_locks
      WHERE locktype = 'object' AND classid = 'pg_database'::regclass AND pid NOT IN (SELECT pid FROM pg_stat_activity)`,
  );
  return row?.count ?? 0;
}

/** A spared role that takes numbers in the moment in which the first round of the pause has its snapshots. */
async function countingOn(): Promise<void> {
  const counter = await connect('counter');
  await counter.query(
    `DO $$ BEGIN
       WHILE NOT EXISTS (SELECT 1 FROM pg_stat_activity
                          WHERE application_name = 'keyshift/${ref.id}/proof' AND state = 'idle in transaction')
       LOOP PERFORM pg_sleep(0.0005); PERFORM pg_stat_clear_snapshot(); END LOOP;
       PERFORM nextval('orders_id_seq') FROM generate_series(1, 100);
     END $$`,
  );
}

/** Why the pause was given up. */
async function givenUp(running: Promise<CutOverResult>): Promise<string> {
  const result = await running;
  if (result.switched) throw new Error('the pause switched');
  return result.reason;
}

async function pauseWith(fence: Awaited<ReturnType<typeof fenceOf>>): Promise<CutOverResult> {
  await lab.run('preparePause', input);
  return lab.run('cutOver', { ...input, fence });
}

beforeAll(async () => {
  lab = await ActivityLab.open();
  await allowPreparedTransactions(lab);
  await createApplication(lab);
  await onSource(
    `CREATE ROLE creator LOGIN CREATEROLE PASSWORD 'creator-password'; CREATE ROLE bypass LOGIN PASSWORD 'bypass-password';
     CREATE ROLE maker LOGIN CREATEDB PASSWORD 'maker-password'; CREATE ROLE owner; GRANT owner TO CURRENT_USER; CREATE ROLE clerk LOGIN PASSWORD 'clerk-password' IN ROLE owner;
     CREATE ROLE boss LOGIN PASSWORD 'boss-password' IN ROLE rds_superuser;
     CREATE ROLE stubborn LOGIN PASSWORD 'stubborn-password' CONNECTION LIMIT 20 VALID UNTIL '2099-01-01';
     ALTER ROLE stubborn SET default_transaction_read_only = off;
     ALTER ROLE stubborn IN DATABASE shop SET default_transaction_read_only = off;
     CREATE ROLE counter LOGIN PASSWORD 'counter-password' IN ROLE pg_monitor; GRANT USAGE ON SEQUENCE orders_id_seq TO counter;
     ALTER DATABASE ledger CONNECTION LIMIT 50; ALTER DATABASE ledger SET default_transaction_read_only = off;
     GRANT ALL ON orders TO bypass, boss, creator, maker, stubborn; GRANT CREATE ON SCHEMA public TO owner; ALTER TABLE orders OWNER TO owner`,
  );
  await lab.standIn.asService('app-db', 'ALTER ROLE bypass BYPASSRLS');
  steps = await captureAndClone(lab, ref);
  await subscribe(lab, steps);
  await lab.run('prepareWayBack', input);
  // Takes the table along that the way back made; while a transaction is open, that would wait.
  await lab.run('readGoNoGo', input);
});
afterEach(async () => {
  for (const loop of loops.splice(0)) await loop.stop();
  for (const client of opened.splice(0)) await client.end().catch(() => undefined);
});
afterAll(() => lab?.close());

it('names all of them on the board', async () => {
  await sessions();
  const { fence, lines } = await lab.run('readGoNoGo', input);
  expect(fence.roles).toEqual([...ROLES]);
  const texts = lines.filter(({ red }) => !red).map(({ text }) => text);
  expect(texts).toContain(`roles that lose LOGIN on the source: ${ROLES.join(', ')}`);
  expect(texts).toContain(`sessions that will be ended: ${ROLES.length}`);
});

it('is as if it had never been when the pause is given up: none of them can tell but by a lost session', async () => {
  const before = await rights();
  const fence = await fenceOf(lab, steps);
  const held = await sessions();
  const loop = reconnecting('stubborn');
  await lab.run('preparePause', input);
  // Apply waits for this lock, readers don't, so the drain outlasts the budget.
  const blocker = await lab.standIn.connect(TARGET, { database: 'shop' });
  opened.push(blocker);
  await blocker.query(`BEGIN; LOCK TABLE ${FENCE_TABLE} IN SHARE MODE`);
  const running = lab.run('cutOver', { ...input, fence });
  await waitFor('the loop is locked out', () => loop.refused()?.includes('not permitted to log in'), { everyMs: 5 });
  for (const role of ROLES) await expect(connect(role)).rejects.toThrow('not permitted to log in');
  for (const role of ROLES) {
    await expect(held[role].query(BEFORE[role].startsWith('BEGIN') ? 'COMMIT' : order(`of ${role}`))).rejects.toThrow();
  }
  await expect(givenUp(running)).resolves.toBe('the budget of 3000 ms ended');
  await blocker.query('ROLLBACK');
  await expect(rights()).resolves.toEqual(before);
  for (const role of ROLES) await (await connect(role)).query(order(`of ${role}, afterwards`));
  const acknowledged = await loop.stop();
  const notes = await notesOf('app-db');
  for (const note of acknowledged) expect(notes).toContain(note);
  expect(notes).not.toContain('never committed');
});

describe('a prepared transaction of an application', () => {
  const prepared = () => onSource<{ gid: string }>('SELECT gid FROM pg_prepared_xacts');

  it('is red on the board, and nobody can waive it', async () => {
    const app = await connect('app');
    await app.query(`BEGIN; ${order('decided later')}; PREPARE TRANSACTION 'of app'`);
    const { lines } = await lab.run('readGoNoGo', input);
    expect(lines).toContainEqual({
      code: 'prepared-transactions',
      red: true,
      final: true,
      text: 'transaction "of app" of app is prepared: commit it or roll it back first',
    });
  });

  it('that came after the board keeps the pause from its end, which says so; it is still there to be decided', async () => {
    const before = await rights();
    const fence = await fenceOf(lab, steps);
    const reason = await givenUp(pauseWith(fence));
    expect(reason).toContain('the budget of 3000 ms ended');
    expect(reason).toContain('transaction "of app" of app is prepared');
    await expect(prepared()).resolves.toEqual([{ gid: 'of app' }]);
    await expect(rights()).resolves.toEqual(before);
    await (await connect('app')).query(`COMMIT PREPARED 'of app'`);
    await expect(notesOf('app-db')).resolves.toContain('decided later');
  });
});

it('gives the pause up for a subscription that came after the board: no fence stops its worker', async () => {
  const fence = await fenceOf(lab, steps);
  // Its publisher is another database of the same server.
  await onSource('CREATE TABLE fed (id int PRIMARY KEY); CREATE PUBLICATION feeding FOR TABLE fed', 'ledger');
  await onSource('CREATE TABLE fed (id int PRIMARY KEY)');
  await onSource(`SELECT pg_create_logical_replication_slot('feeding', 'pgoutput')`, 'ledger');
  const { Endpoint } = await lab.standIn.instance('app-db');
  const conninfo = `host=${Endpoint?.Address} port=${Endpoint?.Port} dbname=ledger user=boss password=boss-password sslmode=require`;
  try {
    await onSource(
      `CREATE SUBSCRIPTION fed CONNECTION '${conninfo}' PUBLICATION feeding WITH (create_slot = false, slot_name = feeding, copy_data = false)`,
    );
    await waitFor(
      'it applies',
      async () =>
        (await onSource(`SELECT 1 FROM pg_stat_subscription WHERE subname = 'fed' AND pid IS NOT NULL`)).length > 0,
      { everyMs: 50 },
    );
    const before = await rights();
    await expect(givenUp(pauseWith(fence))).resolves.toMatch(/subscription fed in database shop goes on writing/);
    await expect(rights()).resolves.toEqual(before);
    const { lines } = await lab.run('readGoNoGo', { ...input, onlyLook: true });
    expect(lines).toContainEqual(expect.objectContaining({ code: 'source-subscriptions', red: true, final: true }));
  } finally {
    await onSource('ALTER SUBSCRIPTION fed DISABLE');
    await onSource('ALTER SUBSCRIPTION fed SET (slot_name = NONE)');
    await onSource('DROP SUBSCRIPTION fed');
    await onSource('DROP TABLE fed');
    await onSource('DROP PUBLICATION feeding; DROP TABLE fed', 'ledger');
    await waitFor(
      'its slot is free',
      async () =>
        (await onSource(`SELECT 1 FROM pg_replication_slots WHERE slot_name = 'feeding' AND active`)).length === 0,
      { everyMs: 50 },
    );
    await onSource(`SELECT pg_drop_replication_slot('feeding')`);
  }
});

it('gives the pause up for a role that came after the board: it could log in on the source after the switch', async () => {
  const fence = await fenceOf(lab, steps);
  const creator = await connect('creator');
  await creator.query(`CREATE ROLE newcomer LOGIN PASSWORD 'newcomer-password'`);
  const before = await rights();
  try {
    await expect(givenUp(pauseWith(fence))).resolves.toMatch(/newcomer can log in on the source/);
    await expect(rights()).resolves.toEqual(before);
    await connect('newcomer');
  } finally {
    await (await connect('creator')).query('DROP ROLE newcomer');
  }
});

describe('a pause that switches', () => {
  let held: Record<Role, Client>;
  let late: Promise<string>;
  let rounds = 0;

  it('waits for a login that had passed the door before the fence, and ends every session', async () => {
    held = await sessions();
    const loop = reconnecting('app');
    const fence = await fenceOf(lab, steps);
    const named = await impostors();
    await lab.run('preparePause', input);
    // The server lets this one in, then waits: until then no view shows the session.
    late = connect('stubborn', '-c post_auth_delay=5').then(
      async (client) => {
        await client.query(order('of a late login'));
        return 'committed';
      },
      (error: Error) => error.message,
    );
    await waitFor('the late login has begun', async () => (await loginsUnderWay()) > 0, { everyMs: 20 });
    const patient = { ...ref.plan, cutover: { ...ref.plan.cutover, pauseBudgetMs: 30_000 } };
    const counting = countingOn();
    const result = await lab.run('cutOver', { ...input, plan: patient, fence });
    await counting;
    if (result.switched) rounds = result.timeline.filter(({ step }) => step === 'drain').length;
    expect(result).toMatchObject({ switched: true, fencedRoles: [...ROLES] });
    const acknowledged = await loop.stop();
    for (const one of named) {
      await expect(one.ended).resolves.toMatch(/terminat/);
      expect(one.acknowledged).not.toEqual([]);
      acknowledged.push(...one.acknowledged);
    }
    const orders = await notesOf(TARGET);
    for (const note of acknowledged) expect(orders).toContain(note);
    // It may be faster than we are: then what it wrote is drained.
    if ((await late) === 'committed') expect(orders).toContain('of a late login');
    else await expect(late).resolves.toMatch(/terminat/);
  });

  it('leaves none of them able to commit on the source', async () => {
    for (const role of ROLES) {
      const end = BEFORE[role].startsWith('BEGIN') ? 'COMMIT' : order(`of ${role}, too late`);
      await expect(held[role].query(end)).rejects.toThrow();
      await expect(connect(role)).rejects.toThrow('not permitted to log in');
    }
  });

  it('has the numbers that a spared role took before the last look', async () => {
    const lastOf = async (instance: string) => {
      const [row] = await lab.sql<{ last: string }>(instance, 'SELECT last_value AS last FROM orders_id_seq', 'shop');
      return BigInt(row?.last ?? 0);
    };
    const [there, here] = [await lastOf('app-db'), await lastOf(TARGET)];
    expect(there > 100n).toBe(true);
    // After the last look nobody sees what a spared role does.
    if (rounds > 1) expect(here >= there).toBe(true);
  });

  it('leaves both sides the same', async () => {
    for (const database of DATABASES) {
      await expect(ordersOf(lab, TARGET, database)).resolves.toEqual(await ordersOf(lab, 'app-db', database));
    }
    await expect(notesOf('app-db')).resolves.not.toMatch(/never committed|too late/);
  });
});
