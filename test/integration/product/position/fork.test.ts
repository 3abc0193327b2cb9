import { closeSync, openSync, readdirSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fromWalinspect } from '../../../../activities/position/from-walinspect';
import { settingsOf } from '../../../../activities/postgres/session';
import { compareLsn, type Lsn, lsnToBytes } from '../../../../plan/lsn';
import type { PositionEvidence } from '../../../../plan/position';
import { Site } from '../../../support/position/site';

const PAGE_BYTES = 8_192n;
const SEGMENT_BYTES = 1024n * 1024n;
const LAYOUT = { blockBytes: Number(PAGE_BYTES), segmentBytes: Number(SEGMENT_BYTES) };

/** Removes the WAL from an LSN on, as if it had never been written. */
function cutWal(dataDir: string, from: bigint): void {
  const folder = join(dataDir, 'pg_wal');
  const perLog = 0x1_0000_0000n / SEGMENT_BYTES;
  const hex = (value: bigint) => value.toString(16).toUpperCase().padStart(8, '0');
  const segment = from / SEGMENT_BYTES;
  const name = `00000001${hex(segment / perLog)}${hex(segment % perLog)}`;
  expect(readdirSync(folder)).toContain(name);
  const file = join(folder, name);
  const offset = Number(from % SEGMENT_BYTES);
  const fd = openSync(file, 'r+');
  writeSync(fd, Buffer.alloc(statSync(file).size - offset), 0, undefined, offset);
  closeSync(fd);
}

/** The transactions that the slot would send; `lsn` is the end of their commit record. */
const COMMITS = `pg_logical_slot_peek_changes('kept', NULL, NULL) WHERE data LIKE 'COMMIT%'`;

const lsnOf = async (site: Site, expression: string): Promise<Lsn> =>
  (await site.sql<{ at: Lsn }>('one', `SELECT (${expression})::text AS at`))[0]?.at ?? '';

/** Where the clone ends, by the server that replayed it. In its first start only. */
const replayedUpTo = (clone: Site): Promise<Lsn> => lsnOf(clone, 'SELECT pg_last_wal_replay_lsn()');

describe.each([16, 18] as const)(
  'on PostgreSQL %d, a clone ends where its WAL and that of the source part',
  (major) => {
    let source: Site;
    let clone: Site | undefined;
    let notBefore: Lsn;

    beforeAll(async () => {
      source = await Site.source(major, ['one']);
      await source.sql('one', 'CREATE SCHEMA ours; CREATE TABLE t (id int)');
    });
    afterAll(() => source?.remove());
    beforeEach(async () => {
      await source.sql('one', `SELECT pg_create_logical_replication_slot('kept', 'test_decoding')`);
      notBefore = await lsnOf(source, `SELECT confirmed_flush_lsn FROM pg_replication_slots`);
      await source.sql('one', 'INSERT INTO t VALUES (1)');
    });
    afterEach(async () => {
      await clone?.remove();
      clone = undefined;
      await source.sql('one', `SELECT pg_drop_replication_slot('kept')`);
    });

    async function walinspect(at: Site, suspected?: Lsn): Promise<PositionEvidence> {
      const found = await source.session('one', (there) =>
        at.session('one', async (here) => {
          for (const session of [there, here]) await session.query(settingsOf({}));
          return fromWalinspect(there, here, { schema: 'ours', notBefore, suspected, layout: LAYOUT });
        }),
      );
      if ('why' in found) throw new Error(found.why);
      return found;
    }

    it.each(['fast', 'immediate'] as const)(
      'not at the checkpoint that the source wrote itself when it was restarted after the slot: %s',
      async (mode) => {
        await source.restart(mode);
        await source.sql('one', 'INSERT INTO t VALUES (2)');
        clone = await source.image(false);
        await source.sql('one', 'INSERT INTO t VALUES (3)');
        await clone.start();
        const end = await replayedUpTo(clone);
        for (const restart of ['fast', 'immediate'] as const) {
          await clone.sql('one', 'INSERT INTO t VALUES (4)');
          await clone.restart(restart);
        }
        await source.restart('fast');
        const { upTo, after, firstOwnXid, found } = await walinspect(clone);
        expect(upTo).toBe(end);
        expect(found).toContain('the clone goes on with CHECKPOINT_SHUTDOWN');
        expect(compareLsn(after ?? '', end)).toBeLessThan(0);
        expect(firstOwnXid).toBeGreaterThan(0);
      },
    );

    it('also where the source has written nothing since', async () => {
      clone = await source.image(false);
      await clone.start();
      const end = await replayedUpTo(clone);
      const { upTo } = await walinspect(clone);
      expect(compareLsn(upTo ?? '', end)).toBeGreaterThanOrEqual(0);
    });

    it('also where the source was stopped for the snapshot, and both were started alike', async () => {
      await source.stop('fast');
      clone = await source.image(false);
      await Promise.all([source.start(), clone.start()]);
      const begun = await lsnOf(source, 'SELECT pg_current_wal_insert_lsn()');
      for (const site of [source, clone]) {
        await site.sql('one', 'INSERT INTO t VALUES (5)');
        await site.restart('fast');
      }
      // Both have a transaction of the same id, at the same place, and a checkpoint after it. Only its time differs.
      const own = await lsnOf(source, `SELECT max(lsn) FROM ${COMMITS}`);
      expect(compareLsn(own, begun)).toBeGreaterThanOrEqual(0);
      const { upTo } = await walinspect(clone);
      expect(compareLsn(upTo ?? '', own)).toBeLessThan(0);
    });

    it('at the start of a record that goes on on a page which the clone does not have', async () => {
      await source.sql('one', 'SELECT pg_switch_wal(); CHECKPOINT');
      await source.sql('one', 'INSERT INTO t VALUES (2)');
      const broken = await source.session('one', async (client) => {
        const { rows } = await client.query<{ at: string }>(`SELECT pg_current_wal_insert_lsn()::text AS at`);
        // Far longer than a page, so it goes on on the next one.
        await client.query(`SELECT pg_logical_emit_message(true, 'x', repeat('x', 100000))`);
        return rows[0]?.at ?? '';
      });
      clone = await source.image(false);
      cutWal(clone.dataDir, (lsnToBytes(broken) / PAGE_BYTES + 1n) * PAGE_BYTES);
      await clone.start();
      const end = await replayedUpTo(clone);
      // The record may begin after a page header, or another one may come in between: what the server replayed counts.
      const { upTo, after } = await walinspect(clone);
      expect(upTo).toBe(end);
      expect(compareLsn(after ?? '', end)).toBeLessThan(0);
      expect(clone.log).toContain('redo done at');
      // Also from a place shortly before the end, and not from one after it.
      await expect(walinspect(clone, end)).resolves.toMatchObject({ upTo: end });
    });

    it('nowhere, if the other server is not its source', async () => {
      const stranger = await Site.source(major, ['one']);
      try {
        await stranger.sql('one', 'CREATE SCHEMA ours');
        await expect(walinspect(stranger)).rejects.toThrow(/no WAL in common|valid record|removed/);
      } finally {
        await stranger.remove();
      }
    });
  },
);
