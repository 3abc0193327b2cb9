import { appendFileSync, existsSync, readdirSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { cutOverByHand, prepareByHand, type HandPair } from '../../../bench/cutover/by-hand';
import { createDatabases, withClient, type Login } from '../../../local/app/databases';
import { NoteBook, readNotes } from '../../../local/app/notes';
import { DATABASES } from '../../../local/app/schema';
import { Writer } from '../../../local/app/writer';
import { judgeContents, type Contents } from '../../../local/demo/verdict/contents';
import { longestGapMs } from '../../../local/demo/verdict/pause';
import type { Databases } from '../../../local/pgbouncer/configuration';
import { Pooler } from '../../../local/pgbouncer/pooler';
import { findPgBouncer, PgBouncerNotFound, pgbouncerSources } from '../../../local/tools/pgbouncer';
import { fromDebianPackages } from '../../../local/tools/pgbouncer/debian-packages';
import { fromCache, fromPath, fromVariable } from '../../../local/tools/pgbouncer/installed';
import { silently } from '../../../local/tools/report';
import { runCommand } from '../../../local/tools/run-command';
import { ProcessRegistry, readRegistry } from '../../../local/world/process-registry';
import { waitFor } from '../../../local/world/wait-for';
import { BareServer } from '../../support/postgres';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keyshift-pooler-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('PgBouncer on this machine', () => {
  it('is found by the sources as they are, and runs', async () => {
    const { path, version } = await findPgBouncer({ report: silently });
    await expect(runCommand(path, ['--version'])).resolves.toMatchObject({
      stdout: expect.stringContaining(version) as string,
    });
  });

  it('is what KEYSHIFT_PGBOUNCER says before what PATH says; one on PATH that is too old is passed over', async () => {
    const fake = async (name: string, version: string): Promise<string> => {
      await writeFile(join(folder, name), `#!/bin/sh\necho "PgBouncer ${version}"\n`);
      await chmod(join(folder, name), 0o755);
      return join(folder, name);
    };
    const old = await fake('pgbouncer', '1.8.1');
    const named = await fake('named', '1.25.0');
    const env = { PATH: folder, KEYSHIFT_PGBOUNCER: named };
    const both = [fromVariable(env), fromPath(env, [])];
    await expect(findPgBouncer({ sources: both, report: silently })).resolves.toMatchObject({ path: named });
    const only = findPgBouncer({ sources: [fromPath(env, [])], report: silently });
    await expect(only).rejects.toThrow(`${old} is 1.8.1`);
  });

  it('comes out of Debian packages into a cache that has none, and is found there from then on', async () => {
    const cache = join(folder, 'cache', 'pgbouncer');
    expect(pgbouncerSources(cache)).toHaveLength(4);
    const sources = [fromCache(cache), fromDebianPackages(cache)];
    const first = await findPgBouncer({ sources, report: silently }).catch((error: Error) => error);
    // Elsewhere than on Debian and its kin, and without a way to its packages, another source has to have it.
    if (first instanceof PgBouncerNotFound) expect(first.message).toContain('apt-get');
    else await expect(findPgBouncer({ sources, report: silently })).resolves.toMatchObject({ source: 'cache' });
    expect(readdirSync(join(folder, 'cache')).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});

const MASTER: Login = { user: 'rdsadmin', password: 'unused' };
const APP: Login = { user: 'app', password: 'needs "no" quoting' };
const ADMIN: Login = { user: 'keyshift_pooler', password: 'console' };

/** Both servers, logical replication from one to the other made by hand, and the sample application behind two poolers. */
describe('poolers in front of two servers', () => {
  let source: BareServer;
  let target: BareServer;
  let poolers: Pooler[];
  /** From the target to the source. */
  let back: HandPair[];
  let registry: string;
  const open: Client[] = [];

  const on = (server: BareServer): Databases => Object.fromEntries(DATABASES.map((name) => [name, server.address]));

  beforeAll(async () => {
    source = await BareServer.create();
    appendFileSync(join(source.server.places.dataDir, 'postgresql.conf'), '\nwal_level = logical\n');
    await createDatabases(source.address, MASTER, APP, 2_000);
    target = await source.twin();
    registry = join(folder, 'processes.json');
    const [{ path: program }, processes] = [await findPgBouncer({ report: silently }), new ProcessRegistry(registry)];
    poolers = await Promise.all(
      ['one', 'two'].map((name) =>
        Pooler.start({
          program,
          folder: join(folder, name),
          logFile: join(folder, `${name}.log`),
          registry: processes,
          databases: on(source),
          users: [APP],
          admin: ADMIN,
        }),
      ),
    );
  });
  afterAll(async () => {
    for (const client of open) await client.end();
    await Promise.all(poolers?.map((pooler) => pooler.stop()) ?? []);
    for (const server of [source, target]) await server?.remove();
  });

  /** A session that the test ends. */
  const keep = async (address: { host: string; port: number }, login: Login, database: string): Promise<Client> => {
    const client = new Client({ host: address.host, port: address.port, ...login, database });
    client.on('error', () => undefined);
    await client.connect();
    open.push(client);
    return client;
  };

  /** Logical replication of a database, made by hand. With `origin = none` both directions can be on: what came from there stays here. */
  const replicate = async (database: string, from: BareServer, to: BareServer): Promise<HandPair> => {
    const pair = {
      source: await keep(from.address, MASTER, database),
      target: await keep(to.address, MASTER, database),
    };
    const [slot, subscription] = [`${database}_slot`, `${database}_sub`];
    await pair.source.query('CREATE PUBLICATION everything FOR ALL TABLES');
    await pair.source.query(`SELECT pg_create_logical_replication_slot('${slot}', 'pgoutput')`);
    const { host, port } = from.address;
    await pair.target.query(
      `CREATE SUBSCRIPTION ${subscription} CONNECTION 'host=${host} port=${port} user=${MASTER.user} dbname=${database}'
         PUBLICATION everything WITH (create_slot = false, copy_data = false, slot_name = '${slot}', origin = none)`,
    );
    return { ...pair, subscription, slot };
  };

  /** Moves the application while it writes; answers when that began and ended. */
  const move = async (pairs: readonly HandPair[], to: BareServer): Promise<{ from: number; until: number }> => {
    let asked = 0;
    // Connections in turn go to one pooler and to the other.
    const endpoint = async (): Promise<string> => poolers[(asked += 1) % 2]?.endpoint ?? '';
    const writer = new Writer({
      endpoints: { current: endpoint, refresh: endpoint },
      credentials: APP,
      connections: 8,
      rate: 400,
      notes: new NoteBook(join(folder, 'notes.jsonl')),
      pooled: true,
    });
    writer.start();
    try {
      await waitFor('writes before', () => writer.totals.acknowledged > 500);
      await prepareByHand(pairs);
      const consoles = await Promise.all(poolers.map((pooler) => keep(pooler, ADMIN, 'pgbouncer')));
      const byHand = poolers.map((pooler, index) => ({
        console: consoles[index] as Client,
        rewrite: () => pooler.rewrite(on(to)),
      }));
      const from = Date.now();
      const timeline = await cutOverByHand(pairs, byHand);
      expect(timeline.map(({ step }) => step)).toEqual(['pause', 'drain', 'sequences', 'switch']);
      const until = Date.now();
      const before = writer.totals.acknowledged;
      await waitFor('writes afterwards', () => writer.totals.acknowledged > before + 500);
      return { from, until };
    } finally {
      await writer.stop();
      expect(writer.totals).toMatchObject({ failed: 0, unknown: 0, refused: 0, lost: 0, reconnects: 0 });
      // A subscription that applies what it receives while both sides are compared would hide what is missing.
      for (const { target: client, subscription } of pairs) {
        await client.query(`ALTER SUBSCRIPTION ${subscription} DISABLE`);
      }
    }
  };

  const judge = async (left: BareServer, reached: BareServer, since?: number): Promise<Contents> => {
    const side = ({ address }: BareServer) => ({ server: address, login: MASTER });
    const contents = await judgeContents(side(left), side(reached), join(folder, 'notes.jsonl'), { since });
    expect(contents.examples).toEqual([]);
    expect(contents.behind).toEqual([]);
    expect(contents.notes.errorsAt).toEqual([]);
    return contents;
  };

  it('let in who is on their list, and nobody else', async () => {
    const [first] = poolers as [Pooler];
    await expect(withClient(first, APP, 'shop', (client) => client.query('SELECT 1'))).resolves.toBeDefined();
    const wrong = withClient(first, { ...APP, password: 'wrong' }, 'shop', async () => undefined);
    await expect(wrong).rejects.toThrow();
    await expect(withClient(first, APP, 'pgbouncer', (client) => client.query('PAUSE'))).rejects.toThrow();
  });

  it('are noted in the registry, with what they are', () => {
    expect(readRegistry(registry).map(({ pid, what }) => ({ pid, what }))).toEqual(
      poolers.map(({ pid }) => ({ pid, what: 'PgBouncer' })),
    );
  });

  it('move an application to the other server without an error, and without a row lost or doubled', async () => {
    const there = await Promise.all(DATABASES.map((database) => replicate(database, source, target)));
    back = await Promise.all(DATABASES.map((database) => replicate(database, target, source)));
    const { from, until } = await move(there, target);
    const { notes } = await judge(source, target);
    expect(longestGapMs(notes.acknowledgedAt, from, until)).toBeLessThan(2_000);
    const servers = new Set<string>();
    for await (const note of readNotes(join(folder, 'notes.jsonl'))) servers.add(note.endpoint);
    expect(servers).toEqual(new Set([source.endpoint, target.endpoint]));
  });

  it('move it back; the old source has what was written on either side', async () => {
    const { from } = await move(back, source);
    await judge(target, source, from);
    // A row of each time that is not there any more is missed.
    const lost = async (of: BareServer, after: number): Promise<string> => {
      for await (const { endpoint, at, writes } of readNotes(join(folder, 'notes.jsonl'))) {
        const [table, what, uid] = writes.at(-1) ?? [];
        if (endpoint === of.endpoint && at > after && table === 'events' && what === 'insert' && uid) return uid;
      }
      throw new Error('no event was written then');
    };
    const uids = [await lost(source, 0), await lost(target, 0), await lost(source, from)];
    for (const { target: client } of back) {
      await client.query('DELETE FROM events WHERE uid = ANY ($1)', [uids]);
    }
    const side = ({ address }: BareServer) => ({ server: address, login: MASTER });
    const notesFile = join(folder, 'notes.jsonl');
    const contents = await judgeContents(side(target), side(source), notesFile, { since: from });
    expect(contents).toMatchObject({ missing: 3, mismatches: 3, duplicated: 0, stale: 0 });
  });

  it('leave neither a process nor a password behind', async () => {
    const [first] = poolers as [Pooler];
    await first.stop();
    expect(first.isRunning).toBe(false);
    expect(existsSync(join(folder, 'one'))).toBe(false);
    expect(readRegistry(registry)).toHaveLength(1);
  });
});
