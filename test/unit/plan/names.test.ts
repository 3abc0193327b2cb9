import fc from 'fast-check';
import {
  applicationName,
  applicationNamePrefix,
  awsName,
  fenceSchema,
  idInComment,
  idInName,
  ourTags,
  postgresName,
  publicationName,
  replicationRole,
  slotName,
  subscriptionName,
} from '../../../plan/names';
import { MIGRATION_ID } from '../../../plan/temporal';

const migrationId = fc.stringMatching(MIGRATION_ID);
/** What PostgreSQL allows a database to be called: anything of 1 to 63 bytes. */
const database = fc
  .string({ minLength: 1, maxLength: 63, unit: 'grapheme' })
  .filter((name) => Buffer.byteLength(name) <= 63);

describe('a PostgreSQL name of ours', () => {
  it('is what a replication slot may be called, whatever the database is called', () => {
    fc.assert(
      fc.property(migrationId, database, (id, name) => {
        expect(postgresName(id, name)).toMatch(/^[a-z0-9_]{1,63}$/);
        expect(postgresName(id)).toMatch(/^[a-z0-9_]{1,63}$/);
      }),
    );
  });

  it('is a different one for each database', () => {
    fc.assert(
      fc.property(migrationId, fc.uniqueArray(database, { minLength: 2, maxLength: 20 }), (id, names) => {
        expect(new Set(names.map((name) => postgresName(id, name))).size).toBe(names.length);
      }),
    );
  });

  it('is the same one each time', () => {
    fc.assert(fc.property(migrationId, database, (id, name) => postgresName(id, name) === postgresName(id, name)));
  });

  it('is readable where nothing has to be changed', () => {
    expect(postgresName('encrypt-app-db', 'shop')).toBe('keyshift_encrypt_app_db_shop');
    expect(postgresName('encrypt-app-db')).toBe('keyshift_encrypt_app_db');
  });

  it.each([
    ['case', 'Shop', 'shop'],
    ['punctuation', 'my-shop', 'my_shop'],
    ['what is cut off', `${'x'.repeat(60)}1`, `${'x'.repeat(60)}2`],
    ['letters of other scripts', 'größe', 'grüße'],
  ])('tells apart names that differ only in %s', (_, one, other) => {
    expect(postgresName('m', one)).not.toBe(postgresName('m', other));
  });
});

describe('the id in a name', () => {
  it('is the one that the name was made of, so role, publication and schema of two ids never meet', () => {
    fc.assert(fc.property(migrationId, (id) => idInName(replicationRole(id)) === id));
  });

  it('is found beside a database that needs no change', () => {
    fc.assert(
      fc.property(migrationId, fc.stringMatching(/^[a-z][a-z0-9_]{0,11}$/), (id, name) => {
        fc.pre(slotName(id, name).length < 63);
        expect(idInName(slotName(id, name), name)).toBe(id);
      }),
    );
  });

  it('is in the comment, too', () => {
    expect(idInComment('keyshift a-b')).toBe('a-b');
    expect(idInComment('keyshift a-b 6f9619ff')).toBe('a-b');
    for (const comment of [null, '', 'keyshift', 'made by keyshift a']) expect(idInComment(comment)).toBeUndefined();
  });
});

describe('names by what they are for', () => {
  it('carry the migration', () => {
    expect(awsName('encrypt-app-db', 'source')).toBe('keyshift-encrypt-app-db-source');
    expect(ourTags('encrypt-app-db', 'target')).toEqual([
      { Key: 'keyshift:migration', Value: 'encrypt-app-db' },
      { Key: 'keyshift:role', Value: 'target' },
    ]);
    for (const name of [publicationName, replicationRole, fenceSchema]) expect(name('m-1')).toBe('keyshift_m_1');
    for (const name of [slotName, subscriptionName]) expect(name('m-1', 'shop')).toBe('keyshift_m_1_shop');
  });

  it('mark our connections within 63 bytes, beginning with what the fence spares', () => {
    fc.assert(
      fc.property(migrationId, fc.stringMatching(/^[a-z-]{1,40}$/), (id, step) => {
        const name = applicationName(id, step);
        expect(name.length).toBeLessThanOrEqual(63);
        expect(name.startsWith(applicationNamePrefix(id))).toBe(true);
      }),
    );
    expect(applicationName('m', 'pause')).toBe('keyshift/m/pause');
  });
});
