import { closeSync, openSync, readdirSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fromWalinspect } from '../../../../activities/position/from-walinspect';
import { compareLsn, lsnToBytes } from '../../../../plan/lsn';
import type { PositionEvidence } from '../../../../plan/position';
import { BareServer } from '../../../support/postgres';

const PAGE_BYTES = 8_192n;
const SEGMENT_BYTES = 16_777_216n;

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

test.each([15, 16, 18] as const)(
  'on PostgreSQL %d, WAL that ends inside a record, at the end of a page, gives the start of that record',
  async (major) => {
    const bare = await BareServer.create(major);
    try {
      const { server } = bare;
      await server.withSession(async (client) => {
        await client.query(`ALTER SYSTEM SET wal_level = logical`);
      });
      await server.stop('fast');
      await server.start();
      const broken = await server.withSession(async (client) => {
        await client.query(`SELECT pg_create_logical_replication_slot('kept', 'pgoutput')`);
        await client.query(`CREATE TABLE t (id int); INSERT INTO t VALUES (1); SELECT pg_switch_wal(); CHECKPOINT`);
        await client.query(`INSERT INTO t VALUES (2)`);
        const { rows } = await client.query<{ at: string }>(`SELECT pg_current_wal_insert_lsn()::text AS at`);
        // Far longer than a page, so it goes on on the next one.
        await client.query(`SELECT pg_logical_emit_message(true, 'x', repeat('x', 100000))`);
        return rows[0]?.at ?? '';
      });
      await server.stop('immediate');
      cutWal(server.places.dataDir, (lsnToBytes(broken) / PAGE_BYTES + 1n) * PAGE_BYTES);
      await server.start();
      await server.withSession(async (client) => {
        await client.query(`SET search_path = pg_catalog; CREATE SCHEMA ours`);
        const { rows } = await client.query<{ end: string | null }>('SELECT pg_last_wal_replay_lsn()::text AS "end"');
        const found = (await fromWalinspect(client, { slots: ['kept'], schema: 'ours' })) as PositionEvidence;
        expect(found.found).toContain('OVERWRITE_CONTRECORD');
        // The record may begin behind a page header, or another one may come in between: what the server replayed counts.
        expect(found.exactly).toBe(rows[0]?.end);
        expect(compareLsn(found.after ?? '', found.exactly ?? '')).toBeLessThan(0);
      });
      const log = readdirSync(server.places.logDir).map((name) =>
        readFileSync(join(server.places.logDir, name), 'utf8'),
      );
      expect(log.join('')).toContain(`redo done at`);
    } finally {
      await bare.remove();
    }
  },
);
