import { SAMPLE } from '../../local/app/names';
import { approve, gateIsOpen, MIGRATION, planFile, progressOf, start, untilProgress } from './support/migration';
import { ask, connect, connectAsApp, createHistory, UPSTREAM, Writer } from './support/real-history';
import { control, eventually, inWorld } from './support/worlds';

const [SOURCE, TARGET] = [SAMPLE.instance, SAMPLE.encryptedInstance];

/** Everything that the migration has to leave the same on both sides, table rows apart (the proof compares those). */
const COMPARED = {
  'large objects': `SELECT m.oid::int, pg_get_userbyid(lomowner) AS owner, lomacl::text, md5(lo_get(m.oid)) FROM pg_largeobject_metadata m ORDER BY 1`,
  'unlogged tables': 'SELECT count(*)::int, md5(string_agg(c::text, chr(10) ORDER BY id)) FROM carts AS c',
  sequences: `SELECT schemaname, sequencename, last_value FROM pg_sequences WHERE schemaname = 'numbers' OR sequencename IN ('parents_id_seq', 'children_id_seq') ORDER BY 1, 2`,
  truncated: 'SELECT p.id, p.whole, c.id AS child FROM parents p LEFT JOIN children c ON c.parent = p.id ORDER BY 1',
  'never filled': `SELECT relname, relispopulated FROM pg_class WHERE relkind = 'm' ORDER BY 1`,
  triggers: `SELECT tgrelid::regclass::text AS "table", tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2`,
};

test('a database with seventeen years of history arrives whole, and nothing of it runs twice', () =>
  inWorld('real-history', async (world) => {
    await createHistory(world);
    const orders = new Writer(
      await connectAsApp(world, SOURCE),
      (n) => `INSERT INTO orders (note) VALUES ('new ${n}')`,
    );
    const upstream = new Writer(
      await connect(world, UPSTREAM, 'postgres'),
      (n) => `INSERT INTO feed VALUES (${n}, 'from upstream ${n}')`,
    );
    world.onStop('writers', async () => {
      await orders.stop();
      await upstream.stop();
    });
    await world.startWorker();
    await start(
      world,
      planFile(world, {
        acknowledge: ['replication-slots', 'wal-rate', 'sequence-ranges', 'materialized-views'],
        gates: { 'reboot-source': { approval: false } },
        keep: { finalSnapshot: false, source: true },
        // The source is compared as of the cutover, so nothing may go back to it; the way back has tests of its own.
        soak: { wayBack: 'none' },
        carry: {
          largeObjects: 'copy',
          unloggedTables: 'copy',
          subscriptions: 'move',
          cronJobs: 'move',
          sequenceMargin: 0,
        },
        cutover: { pauseBudgetMs: 2_500, traffic: [{ type: 'ssm-parameter', name: SAMPLE.endpointParameter }] },
      }),
    );
    const { gate } = await untilProgress(world, 'the cutover gate is open', gateIsOpen('cutover'));
    const findings = gate?.findings.join('\n') ?? '';
    expect(findings).not.toContain('RED');
    expect(findings).toContain('subscription feed_sub (database shop): the target goes on with it, by slot feed_sub');
    expect(findings).toContain('slot debezium (test_decoding, not read now) stays on the source');
    expect(findings).toContain('31 large objects');
    expect(findings).toContain('1 unlogged tables are copied in the pause');
    expect(findings).toContain('1 cron jobs are stopped on the source');

    // Until the switch nothing of it runs on the target, whatever happens on the source, and nobody writes there by mistake.
    await ask(world, SOURCE, `SELECT cron.alter_job(jobid, active := true) FROM cron.job WHERE jobname = 'later'`);
    await ask(
      world,
      SOURCE,
      `SELECT lo_put(50001, 0, 'CHANGED'), lo_unlink(50002), lo_from_bytea(70000, 'new'), nextval('numbers.s14'), setval('numbers.s5', 999);
       TRUNCATE parents RESTART IDENTITY CASCADE; INSERT INTO parents (half) VALUES (3), (4); INSERT INTO children (parent) VALUES (2);
       DELETE FROM carts WHERE id % 3 = 0; INSERT INTO carts (what) VALUES ('{"late": true}')`,
    );
    const [later] = await ask<{ n: number }>(world, SOURCE, 'SELECT max(id)::int AS n FROM orders');
    await eventually('the target has applied it', async () => {
      const [row] = await ask<{ n: number }>(world, TARGET, 'SELECT max(id)::int AS n FROM orders');
      return (row?.n ?? 0) >= (later?.n ?? 0);
    });
    await expect(ask(world, TARGET, 'SELECT jobname FROM cron.job WHERE active')).resolves.toEqual([]);
    const app = await connectAsApp(world, TARGET);
    await expect(app.query(`INSERT INTO orders (note) VALUES ('stray')`)).rejects.toThrow('read-only transaction');
    await app.end();

    // A pause that has to be given up: apply on the target waits for this lock, so the drain outlasts the budget.
    const blocker = await connect(world, TARGET);
    const subscription = 'SELECT subenabled, subslotname FROM pg_subscription WHERE subname = $$feed_sub$$';
    await approve(world, 'cutover');
    // Not before: the board would be red, and the slot of the way back would wait for the transaction that waits.
    const inPause = `SELECT 1 FROM pg_stat_activity WHERE application_name = 'keyshift/${MIGRATION}/pause'`;
    await eventually('the pause has its sessions', async () => (await blocker.query(inPause)).rows.length > 0, {
      timeoutMs: 120_000,
      everyMs: 5,
    });
    await blocker.query(`BEGIN; LOCK TABLE keyshift_${MIGRATION.replaceAll('-', '_')}.fence IN SHARE MODE`);
    await untilProgress(world, 'the pause is given up', ({ notices }) =>
      notices.some(({ text }) => text.includes('pause given up')),
    );
    await blocker.end();
    await expect(ask(world, SOURCE, subscription)).resolves.toEqual([{ subenabled: true, subslotname: 'feed_sub' }]);
    await expect(ask(world, SOURCE, 'SELECT jobname FROM cron.job WHERE active ORDER BY 1')).resolves.toEqual([
      { jobname: 'later' },
      { jobname: 'tick' },
    ]);
    await orders.stop(); // its session was ended
    const more = new Writer(await connectAsApp(world, SOURCE), (n) => `INSERT INTO orders (note) VALUES ('more ${n}')`);
    world.onStop('writer', () => more.stop());

    await untilProgress(world, 'the cutover gate is open again', gateIsOpen('cutover'));
    await approve(world, 'cutover');
    const done = await untilProgress(world, 'the decommission gate is open', gateIsOpen('decommission'));
    const stepNote = (name: string) => done.steps.find((step) => step.name === name)?.note;
    expect(stepNote('resume')).toBe('1 subscriptions, 2 cron jobs, 2 triggers of apply');
    await more.stop();

    // What was carried is the same on both sides; the source stands still after its fence.
    for (const [what, sql] of Object.entries(COMPARED)) {
      expect({ what, rows: await ask(world, TARGET, sql) }).toEqual({ what, rows: await ask(world, SOURCE, sql) });
    }
    await expect(
      ask(world, TARGET, `SELECT count(*)::int AS n FROM pg_sequences WHERE schemaname = 'numbers'`),
    ).resolves.toEqual([{ n: 2_000 }]);
    const [view] = await ask<{ orders: number; twice: number }>(
      world,
      TARGET,
      'SELECT orders::int, twice::int FROM order_count, order_double',
    );
    expect(view?.orders).toBeGreaterThan(500);
    expect(view?.twice).toBe((view?.orders ?? 0) * 2);

    // Every order that was acknowledged is there once, and has been logged once.
    const notes = await ask<{ note: string; logged: number }>(
      world,
      TARGET,
      'SELECT note, (SELECT count(*)::int FROM order_log l WHERE l.order_id = o.id) AS logged FROM orders o',
    );
    const seen = new Set(notes.map(({ note }) => note));
    expect(seen.size).toBe(notes.length);
    for (const n of orders.acknowledged) expect(seen.has(`new ${n}`)).toBe(true);
    for (const n of more.acknowledged) expect(seen.has(`more ${n}`)).toBe(true);
    expect(notes.filter(({ logged }) => logged !== 1)).toEqual([]);

    // The subscription goes on on the target, exactly once, and can't on the source.
    await expect(ask(world, SOURCE, subscription)).resolves.toEqual([{ subenabled: false, subslotname: null }]);
    await expect(ask(world, TARGET, subscription)).resolves.toEqual([{ subenabled: true, subslotname: 'feed_sub' }]);
    const before = upstream.acknowledged.length;
    await eventually('more came from upstream', async () => upstream.acknowledged.length > before + 20);
    await upstream.stop();
    const feed = 'SELECT count(*)::int AS rows, count(DISTINCT id)::int AS ids, sum(id)::int AS sum FROM feed';
    const [sent] = await ask(world, UPSTREAM, feed, 'postgres');
    await eventually('the target has all of it', async () => {
      const [row] = await ask<{ rows: number }>(world, TARGET, feed);
      return (row?.rows ?? 0) >= (sent as { rows: number }).rows;
    });
    await expect(ask(world, TARGET, feed)).resolves.toEqual([sent]);
    await expect(
      ask(world, TARGET, 'SELECT feed_id::int FROM feed_log GROUP BY 1 HAVING count(*) <> 1'),
    ).resolves.toEqual([]);
    const [logged] = await ask<{ n: number }>(world, TARGET, 'SELECT count(*)::int AS n FROM feed_log');
    expect(logged?.n).toBe((sent as { rows: number }).rows);

    // Jobs ran on one side at a time, each run is there once, and what was inactive still is.
    await eventually('jobs run on the target', async () => {
      const rows = await ask<{ server: string }>(world, TARGET, 'SELECT DISTINCT server FROM ticks');
      return rows.length === 2;
    });
    await expect(ask(world, SOURCE, 'SELECT jobname FROM cron.job WHERE active')).resolves.toEqual([]);
    await expect(ask(world, TARGET, 'SELECT jobname FROM cron.job WHERE active ORDER BY 1')).resolves.toEqual([
      { jobname: 'later' },
      { jobname: 'tick' },
    ]);
    const [turns] = await ask<{ overlap: boolean; never: number }>(
      world,
      TARGET,
      `SELECT (SELECT max(at) FROM ticks WHERE server = (SELECT server FROM ticks ORDER BY at LIMIT 1))
              > (SELECT min(at) FROM ticks WHERE server <> (SELECT server FROM ticks ORDER BY at LIMIT 1)) AS overlap,
              (SELECT count(*)::int FROM ticks WHERE job = 'never') AS never`,
    );
    expect(turns).toEqual({ overlap: false, never: 0 });
    const onSource = await ask<{ id: string }>(world, SOURCE, 'SELECT id FROM ticks');
    const ids = new Set((await ask<{ id: string }>(world, TARGET, 'SELECT id FROM ticks')).map(({ id }) => id));
    expect(onSource.filter(({ id }) => !ids.has(id))).toEqual([]);

    // The reader of the foreign slot is still served; nothing of the quarantine is left.
    const slots = 'SELECT slot_name FROM pg_replication_slots ORDER BY 1';
    expect(await ask(world, SOURCE, slots)).toContainEqual({ slot_name: 'debezium' });
    await expect(ask(world, TARGET, slots)).resolves.toEqual([]);
    expect(JSON.stringify(await control(world, 'GET', 'listing'))).not.toContain(`keyshift-${MIGRATION}-quarantine`);
    await approve(world, 'decommission');
    await eventually('completed', async () => (await progressOf(world))?.status === 'completed');
    await expect(
      ask(world, TARGET, `SELECT nspname FROM pg_namespace WHERE nspname LIKE 'keyshift%'`),
    ).resolves.toEqual([]);
  }));
