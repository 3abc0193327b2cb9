import { Client } from 'pg';
import { createRecords, noteRecords, readRecords } from '../../../../activities/quarantine/records';
import { BareServer } from '../../../support/postgres';

/** Seed 49 of bench:random: the table of the notes is in the first database, what they tell of in any other. */

const ID = 'm';
const NAMES = ['plain', 'größe', 'stock🦭', '日本語', 'keyshift-uri:%41', `a.b"c'`];

let server: BareServer;
beforeAll(async () => {
  server = await BareServer.asRds(16);
});
afterAll(() => server?.remove());

it.each(['UTF8', 'WIN1252', 'SQL_ASCII', 'EUC_JP'])(
  'notes of any name come back as they were from %s',
  async (encoding) => {
    const open = async (database: string) => {
      const client = new Client({ ...server.address, user: 'master', database });
      await client.connect();
      return client;
    };
    const database = `in_${encoding.toLowerCase()}`;
    const first = await open('postgres');
    await first.query(
      `CREATE DATABASE ${database} ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
    );
    await first.end();
    const home = await open(database);
    try {
      await home.query('CREATE SCHEMA keyshift_m');
      await createRecords(home, ID);
      const records = NAMES.map((name) => ({
        database: 'other',
        kind: 'trigger' as const,
        name,
        was: { schema: name, list: [name], state: 'A', count: 1, none: null },
      }));
      await noteRecords(home, ID, records);
      // As after a lost answer.
      await noteRecords(home, ID, records);
      const found = await readRecords(home, ID, 'trigger');
      expect(found).toHaveLength(records.length);
      expect(found).toEqual(expect.arrayContaining(records));
    } finally {
      await home.end();
    }
  },
);
