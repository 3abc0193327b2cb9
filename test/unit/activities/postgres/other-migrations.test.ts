import fc from 'fast-check';
import { otherMigrations, type Trace } from '../../../../activities/postgres/other-migrations';
import { type Named, replicationRole, slotName } from '../../../../plan/names';
import { MIGRATION_ID } from '../../../../plan/temporal';

const id = fc.stringMatching(MIGRATION_ID);
const database = fc.string({ minLength: 1, maxLength: 63, unit: 'grapheme' });
const slot = (migration: string, of: string, naming: Pick<Named, 'naming'> = {}): Trace => ({
  kind: 'replication slot',
  name: slotName({ id: migration, ...naming }, of),
  belongsTo: of,
  comment: null,
});
const role = (migration: string): Trace => ({
  kind: 'role',
  name: replicationRole(migration),
  belongsTo: null,
  comment: null,
});

test('our own slots and roles are no trace of another migration, in whatever database they are seen', () => {
  fc.assert(
    fc.property(id, fc.uniqueArray(database, { minLength: 1, maxLength: 5 }), (own, databases) => {
      // As the checks in databases hand rows on: with the database that was looked in.
      const traces = databases.flatMap((seenIn) =>
        [role(own), ...databases.flatMap((one) => [slot(own, one), slot(own, one, { naming: 2 })])].map((trace) => ({
          ...trace,
          database: seenIn,
        })),
      );
      expect(otherMigrations(traces, own)).toEqual([]);
    }),
  );
});

test('those of another are told by its id', () => {
  fc.assert(
    fc.property(id, id, database, (own, other, of) => {
      fc.pre(own !== other && slotName({ id: own }, of) !== slotName({ id: other }, of));
      const found = otherMigrations([role(own), slot(own, of), role(other), slot(other, of)], own);
      expect(found.map((one) => one.id)).toEqual([other]);
    }),
  );
});
