import type { DBInstance } from '@aws-sdk/client-rds';
import { dailyCost } from '../../../../activities/cost/daily-cost';
import { costLine } from '../../../../plan/daily-cost';
import { StandIn } from '../../../support/stand-in';

let standIn: StandIn;
beforeAll(async () => {
  standIn = await StandIn.start();
});
afterAll(() => standIn?.remove());

const APP_DB: DBInstance = {
  DBInstanceIdentifier: 'app-db',
  DBInstanceClass: 'db.m6g.large',
  StorageType: 'gp3',
  AllocatedStorage: 100,
  Iops: 3_000,
  StorageThroughput: 125,
  MultiAZ: false,
};
const cost = (changes: Partial<DBInstance> = {}, region = 'eu-central-1') =>
  dailyCost({ pricing: standIn.pricing(), region }, { ...APP_DB, ...changes });
/** A month of the price list in days. */
const MONTH = 730 / 24;
const cents = (amount: number) => Math.round(amount * 100) / 100;

it('is the class by the hour, and the storage by the month', async () => {
  const found = await cost();
  expect(found).toEqual({
    instance: 'app-db',
    what: 'db.m6g.large, Single-AZ, 100 GiB gp3',
    amount: cents(0.159 * 24 + (100 * 0.115) / MONTH),
    currency: 'USD',
  });
  expect(costLine(found)).toBe('app-db: about 4.19 USD a day (db.m6g.large, Single-AZ, 100 GiB gp3, on demand)');
});

it('of Multi-AZ has prices of its own', async () => {
  await expect(cost({ MultiAZ: true })).resolves.toMatchObject({
    what: 'db.m6g.large, Multi-AZ, 100 GiB gp3',
    amount: cents(0.318 * 24 + (100 * 0.23) / MONTH),
  });
});

it('counts of gp3 what is beyond what its size includes', async () => {
  await expect(cost({ AllocatedStorage: 500, Iops: 12_000, StorageThroughput: 500 })).resolves.toMatchObject({
    amount: cents(0.159 * 24 + (500 * 0.115) / MONTH),
  });
  await expect(cost({ AllocatedStorage: 500, Iops: 14_000, StorageThroughput: 600 })).resolves.toMatchObject({
    amount: cents(0.159 * 24 + (500 * 0.115 + 2_000 * 0.02 + 100 * 0.08) / MONTH),
  });
});

it('counts all IOPS of io1, and those of gp2 not at all', async () => {
  await expect(cost({ StorageType: 'io1', Iops: 2_000 })).resolves.toMatchObject({
    amount: cents(0.159 * 24 + (100 * 0.125 + 2_000 * 0.1) / MONTH),
  });
  await expect(cost({ StorageType: 'gp2', Iops: 300 })).resolves.toMatchObject({
    amount: cents(0.159 * 24 + (100 * 0.115) / MONTH),
  });
});

describe('where there is no price', () => {
  it('says what the list does not have', async () => {
    const found = await cost({ DBInstanceClass: 'db.z99.large' });
    expect(found.amount).toBeUndefined();
    expect(costLine(found)).toBe(
      'app-db: what it costs a day is not known (db.z99.large, Single-AZ, 100 GiB gp3): the price list has nothing for Database Instance, eu-central-1, Single-AZ, db.z99.large, PostgreSQL, No license required (Hrs)',
    );
    await expect(cost({ StorageType: 'tape' })).resolves.toMatchObject({
      unknown: expect.stringContaining('tape') as string,
    });
    await expect(cost({}, 'eu-north-7')).resolves.toMatchObject({
      unknown: expect.stringContaining('eu-north-7') as string,
    });
  });

  it('says that the worker may not ask', async () => {
    const policy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'rds:*', Resource: '*' }] };
    await standIn.control('PATCH', 'iam', { policy, enforce: true });
    try {
      await expect(cost()).resolves.toMatchObject({
        unknown: expect.stringContaining('is not authorized to perform: pricing:GetProducts') as string,
      });
    } finally {
      await standIn.control('PATCH', 'iam', { policy: null, enforce: false });
    }
  });

  it('says that nobody answers', async () => {
    await standIn.control('POST', 'faults', { operation: 'GetProducts', kind: 'error', times: 10 });
    await expect(cost()).resolves.toMatchObject({ unknown: expect.stringContaining('internal error') as string });
    await standIn.control('DELETE', 'faults');
  });
});
