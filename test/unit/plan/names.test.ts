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
import { isNewMigrationId, MIGRATION_ID } from '../../../plan/temporal';

const migrationId = fc.stringMatching(MIGRATION_ID);
const newId = migrationId.filter(isNewMigrationId);
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

describe('a slot or a subscription', () => {
  const of = (id: string, name: string) => slotName({ id, naming: 2 }, name);

  it('of one migration is never called as one of another, whatever the databases are called', () => {
    // Few letters, so that ids and databases run into each other.
    const close = fc.stringMatching(/^[ab][ab-]{0,6}$/).filter(isNewMigrationId);
    const near = fc.stringMatching(/^[ab_]{1,8}$/);
    fc.assert(
      fc.property(
        fc.oneof(close, newId),
        fc.oneof(close, newId),
        fc.oneof(near, database),
        fc.oneof(near, database),
        (one, other, a, b) => {
          fc.pre(one !== other);
          expect(of(one, a)).not.toBe(of(other, b));
        },
      ),
      { numRuns: 5_000 },
    );
    expect(of('a', 'b_c')).not.toBe(of('a-b', 'c'));
  });

  it('of AWS, too: no name of one migration is a name of another', () => {
    const what = fc.constantFrom(
      'logical',
      'quarantine',
      'replication',
      'source',
      'encrypted',
      'final',
      'final-encrypted',
    );
    const ending = fc.tuple(newId, what).map(([id, end]) => `${id}-${end}`.slice(-41).replace(/^[^a-z]+/, 'a'));
    const any = fc.oneof(newId, ending.filter(isNewMigrationId));
    fc.assert(
      fc.property(any, any, what, what, (one, other, a, b) => {
        fc.pre(one !== other);
        expect(awsName(one, a)).not.toBe(awsName(other, b));
      }),
      { numRuns: 5_000 },
    );
    expect(isNewMigrationId('app-final')).toBe(false);
  });
});

describe('the id in a name', () => {
  it('is the one that the name was made of, so role, publication and schema of two ids never meet', () => {
    fc.assert(fc.property(migrationId, (id) => idInName(replicationRole(id)) === id));
  });

  it('is found beside a database that needs no change', () => {
    fc.assert(
      fc.property(newId, fc.stringMatching(/^[a-z][a-z0-9_]{0,11}$/), (id, name) => {
        for (const named of [{ id }, { id, naming: 2 as const }]) {
          fc.pre(slotName(named, name).length < 63);
          expect(idInName(slotName(named, name), name)).toBe(id);
        }
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
    for (const name of [slotName, subscriptionName]) {
      expect(name({ id: 'm-1' }, 'shop')).toBe('keyshift_m_1_shop');
      expect(name({ id: 'm-1', naming: 2 }, 'shop')).toBe('keyshift_m_1__shop');
    }
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
