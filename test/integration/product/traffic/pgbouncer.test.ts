import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Client } from 'pg';
import { SwitchRefused } from '../../../../activities/traffic/traffic-switch';
import type { Endpoint } from '../../../../activities/postgres/session';
import type { Pooler } from '../../../../local/pgbouncer/pooler';
import { inPlan } from '../../../support/pooler-lab';
import { SwitchLab } from '../../../support/switch-lab';
import { MASTER } from '../../../support/stand-in';

let lab: SwitchLab;
const open: Client[] = [];

beforeAll(async () => {
  lab = await SwitchLab.open();
});
afterEach(async () => {
  for (const client of open.splice(0)) await client.end().catch(() => undefined);
});
afterAll(() => lab?.close());

/** A client of the application's. */
async function connect(pooler: Pooler, database: string): Promise<Client> {
  const { MasterUsername: user, MasterUserPassword: password } = MASTER;
  const client = new Client({ host: pooler.host, port: pooler.port, user, password, database });
  client.on('error', () => undefined);
  await client.connect();
  open.push(client);
  return client;
}

/** On which side a client's next transaction is. */
async function sideOf(client: Client): Promise<'source' | 'target'> {
  const { rows } = await client.query<{ port: string }>(`SELECT current_setting('port') AS port`);
  return Number(rows[0]?.port) === lab.source.port ? 'source' : 'target';
}

const shown = (pooler: Pooler, { address, port }: Endpoint) =>
  pooler.console(async (console) => {
    const { rows } = await console.query<{ name: string; host: string; port: number }>('SHOW DATABASES');
    return rows.filter((row) => row.host === address && Number(row.port) === port).map(({ name }) => name);
  });

const traffic = (poolers: readonly Pooler[], more: object = {}) =>
  lab.ref([{ type: 'pgbouncer', file: poolers.map(({ databasesFile }) => databasesFile), ...more }], {
    poolers: poolers.map((pooler) => inPlan(pooler)),
  });

it('moves the clients of two poolers there and back; paused or not, none of them gets an error', async () => {
  const poolers = await Promise.all([1, 2].map(() => lab.pooler(lab.on(lab.source, 'postgres', 'template1'))));
  const ref = traffic(poolers);
  const place = lab.place(ref);
  const clients = await Promise.all(poolers.map((pooler) => connect(pooler, 'postgres')));
  await expect(Promise.all(clients.map(sideOf))).resolves.toEqual(['source', 'source']);
  await expect(lab.look(place)).resolves.toMatchObject({ pointsAt: 'from', red: [] });

  for (const pooler of poolers) await pooler.console((console) => console.query('PAUSE'));
  const waiting = clients.map(sideOf);
  await expect(lab.switch(place)).resolves.toMatchObject({
    done: false,
    from: `${lab.source.address}:${lab.source.port}`,
    to: `${lab.target.address}:${lab.target.port}`,
  });
  for (const pooler of poolers) await pooler.console((console) => console.query('RESUME'));
  await expect(Promise.all(waiting)).resolves.toEqual(['target', 'target']);
  for (const pooler of poolers) await expect(shown(pooler, lab.target)).resolves.toEqual(['postgres', 'template1']);
  await expect(lab.look(place)).resolves.toMatchObject({ pointsAt: 'to' });

  // Once more, as by an attempt that takes over; and by one that finds the file rewritten and a pooler that didn't read it.
  await expect(lab.switch(place)).resolves.toMatchObject({ done: true });
  const back = lab.place(ref, 'back');
  await expect(lab.look(back)).resolves.toMatchObject({ pointsAt: 'from', red: [] });
  await lab.switch(back);
  await expect(Promise.all(clients.map(sideOf))).resolves.toEqual(['source', 'source']);
  await expect(lab.look(back)).resolves.toMatchObject({ pointsAt: 'to' });
});

it('keeps everything else in the file, its owner and its mode, and leaves nothing beside it', async () => {
  const pooler = await lab.pooler(lab.on(lab.source, 'postgres'));
  const file = pooler.databasesFile;
  const text = ({ address, port }: Endpoint) => `; ours\n[databases]\n# kept
postgres = host=${address} port=${port} dbname=postgres pool_size=3 ; not a comment
other = host=elsewhere.example.com port=${lab.source.port}
* = port=${port} host='${address}' min_pool_size=0
[users]
`;
  const valid = (endpoint: Endpoint) => text(endpoint).replace(' ; not a comment', '').replace(/'/g, '');
  writeFileSync(file, text(lab.source).replace(' ; not a comment', ''));
  chmodSync(file, 0o640);
  const before = statSync(file);
  const beside = readdirSync(dirname(file));
  const client = await connect(pooler, 'postgres');
  await pooler.console((console) => console.query('RELOAD'));
  const auto = await connect(pooler, 'template1');
  await expect(sideOf(auto)).resolves.toBe('source');

  const ref = traffic([pooler]);
  await expect(lab.look(lab.place(ref))).resolves.toMatchObject({ pointsAt: 'from', red: [] });
  await lab.switch(lab.place(ref));
  expect(readFileSync(file, 'utf8')).toBe(valid(lab.target));
  expect(statSync(file)).toMatchObject({ uid: before.uid, gid: before.gid, mode: before.mode });
  expect(readdirSync(dirname(file))).toEqual(beside);
  await expect(Promise.all([client, auto].map(sideOf))).resolves.toEqual(['target', 'target']);
});

it('takes only the entries that are named', async () => {
  const pooler = await lab.pooler(lab.on(lab.source, 'postgres', 'template1'));
  await lab.switch(lab.place(traffic([pooler], { databases: ['template1'] })));
  await expect(shown(pooler, lab.target)).resolves.toEqual(['template1']);
  await expect(shown(pooler, lab.source)).resolves.toEqual(['postgres']);
});

it('is refused, with nothing changed, when the file cannot be written or is not the one that PgBouncer reads', async () => {
  const pooler = await lab.pooler(lab.on(lab.source, 'postgres'));
  const ref = lab.ref([{ type: 'pgbouncer', file: `${lab.folder}/not-read.ini` }], { poolers: [inPlan(pooler)] });
  const text = readFileSync(pooler.databasesFile, 'utf8');
  writeFileSync(`${lab.folder}/not-read.ini`, text);
  await expect(lab.switch(lab.place(ref))).rejects.toThrow(SwitchRefused);
  expect(readFileSync(`${lab.folder}/not-read.ini`, 'utf8')).toBe(text);
  await expect(lab.look(lab.place(ref))).resolves.toMatchObject({ pointsAt: 'from' });

  const prepared = await lab.prepare(lab.place(traffic([pooler])));
  rmSync(pooler.databasesFile);
  await expect(prepared.apply()).rejects.toThrow(SwitchRefused);
  await prepared.close?.();
  await expect(shown(pooler, lab.source)).resolves.toEqual(['postgres']);
});

it('goes on where an attempt ended between the file and RELOAD', async () => {
  const pooler = await lab.pooler(lab.on(lab.source, 'postgres'));
  const place = lab.place(traffic([pooler]));
  pooler.rewrite(lab.on(lab.target, 'postgres'));
  await expect(lab.look(place)).resolves.toMatchObject({ pointsAt: 'to' });
  await expect(shown(pooler, lab.source)).resolves.toEqual(['postgres']);
  await expect(lab.switch(place)).resolves.toMatchObject({ done: true });
  await expect(shown(pooler, lab.target)).resolves.toEqual(['postgres']);
});

it('says before the cutover what would go wrong', async () => {
  const pooler = await lab.pooler(lab.on(lab.source, 'postgres', 'template1'));
  const red = async (ref: ReturnType<typeof traffic>) => (await lab.look(lab.place(ref))).red.join('\n');
  await expect(red(traffic([pooler], { databases: ['shop'] }))).resolves.toContain('has no entry shop');
  await expect(red(traffic([pooler], { file: `${lab.folder}/gone.ini` }))).resolves.toContain("can't read");
  const stray = `${lab.folder}/stray.ini`;
  writeFileSync(stray, `[databases]\npostgres = host=${lab.source.address} port=${lab.source.port}\n`);
  await expect(red(traffic([pooler], { file: stray }))).resolves.toContain('not in');
  writeFileSync(stray, `[databases]\npostgres = host=elsewhere.example.com\n`);
  await expect(red(traffic([pooler], { file: stray }))).resolves.toContain('No entry');
  const nothing = lab.ref([{ type: 'pgbouncer' }], { poolers: [inPlan(pooler)] });
  await expect(red(nothing)).resolves.toContain('needs file');
  const unreachable = lab.ref([{ type: 'pgbouncer', file: pooler.databasesFile }], {
    poolers: [{ ...inPlan(pooler), port: 1 }],
  });
  await expect(red(unreachable)).resolves.toContain('PgBouncer 127.0.0.1:1');
});

it('connects anew where another switch moved the name', async () => {
  const pooler = await lab.pooler(lab.on(lab.source, 'postgres'));
  const ref = lab.ref([{ type: 'ssm-parameter', name: '/app/db' }, { type: 'pgbouncer' }], {
    poolers: [inPlan(pooler)],
  });
  const client = await connect(pooler, 'postgres');
  await sideOf(client);
  const since = await serverPid(client);
  // Nothing has moved here, so the old connections only have to be others.
  const prepared = await lab.prepare({ ...lab.place(ref), from: lab.target, to: lab.source }, 1);
  await prepared.apply();
  await prepared.close?.();
  expect(await serverPid(client)).not.toBe(since);
  // Where it still leads to the source, that is seen.
  const stuck = await lab.prepare(lab.place(ref), 1);
  await client.query('BEGIN');
  await expect(stuck.apply()).rejects.toMatchObject({ type: 'SwitchUnconfirmed' });
  await client.query('ROLLBACK');
  await stuck.close?.();
});

async function serverPid(client: Client): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid;
}
