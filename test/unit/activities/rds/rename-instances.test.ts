import type { DBInstance } from '@aws-sdk/client-rds';
import type { MigrationRef } from '../../../../activities/dependencies';
import type { Names } from '../../../../activities/rds/present-names';
import { isUnderWay, renamingsOf } from '../../../../activities/rds/rename-instances';
import { parsedPlan, SMALLEST_PLAN } from '../../../support/plan';

const ref: MigrationRef = {
  id: 'm',
  plan: parsedPlan({ ...SMALLEST_PLAN, cutover: { traffic: [{ type: 'rds-rename' }] } }),
};
const back: MigrationRef = { ...ref, direction: 'back' };
const called = (DBInstanceIdentifier: string, more: DBInstance = {}): DBInstance => ({
  DBInstanceIdentifier,
  DBInstanceStatus: 'available',
  PendingModifiedValues: {},
  ...more,
});
const becoming = (now: string, next: string) => called(now, { PendingModifiedValues: { DBInstanceIdentifier: next } });
const names = (source: DBInstance, target: DBInstance): Names => ({ source, target, strangers: [] });

it('gives the name up first, and takes it then; back, in the other direction', () => {
  const inWords = (one: MigrationRef) => renamingsOf(one).map(({ side, from, to }) => `${side}: ${from} -> ${to}`);
  expect(inWords(ref)).toEqual(['source: app-db -> app-db-old', 'target: app-db-encrypted -> app-db']);
  expect(inWords(back)).toEqual(['target: app-db -> app-db-encrypted', 'source: app-db-old -> app-db']);
});

it.each([
  ['as in the plan', called('app-db'), called('app-db-encrypted'), false, true],
  ['the source is about to be renamed', becoming('app-db', 'app-db-old'), called('app-db-encrypted'), true, true],
  ['it is being renamed', called('app-db', { DBInstanceStatus: 'renaming' }), called('app-db-encrypted'), true, true],
  ['the source is renamed', called('app-db-old'), called('app-db-encrypted'), true, true],
  ['the target is about to be', called('app-db-old'), becoming('app-db-encrypted', 'app-db'), true, true],
  ['both are renamed', called('app-db-old'), called('app-db'), true, false],
  ['the target gives the name back', called('app-db-old'), becoming('app-db', 'app-db-encrypted'), true, true],
  ['another change waits', becoming('app-db', 'by-hand'), called('app-db-encrypted'), false, true],
])('tells whether it has begun: %s', (_, source, target, there, home) => {
  expect(isUnderWay(ref, names(source, target))).toBe(there);
  expect(isUnderWay(back, names(source, target))).toBe(home);
});
