import { fenceSql, type FencePlan, unfenceSql } from '../../../../activities/cutover/fence';

const fence = {
  roles: ['app', 'Re"porter'],
  unlockable: ['root'],
  databases: [
    { name: 'ledger', readOnlyBefore: null },
    { name: 'my"shop', readOnlyBefore: 'on' },
    { name: 'audit', readOnlyBefore: "o'ff" },
  ],
} satisfies FencePlan;

const statements = (sql: string): string[] =>
  sql
    .split(/;|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');

describe('the statements of the fence', () => {
  it('lock out every role and make new sessions of every database read-only, in one transaction', () => {
    expect(statements(fenceSql(fence))).toEqual([
      'BEGIN',
      'ALTER ROLE "app" NOLOGIN',
      'ALTER ROLE "Re""porter" NOLOGIN',
      'ALTER DATABASE "ledger" SET default_transaction_read_only = on',
      'ALTER DATABASE "my""shop" SET default_transaction_read_only = on',
      'ALTER DATABASE "audit" SET default_transaction_read_only = on',
      'COMMIT',
    ]);
  });

  it('give back exactly what was taken, and each database the setting that it had', () => {
    expect(statements(unfenceSql(fence))).toEqual([
      'BEGIN',
      'ALTER ROLE "app" LOGIN',
      'ALTER ROLE "Re""porter" LOGIN',
      'ALTER DATABASE "ledger" RESET default_transaction_read_only',
      `ALTER DATABASE "my""shop" SET default_transaction_read_only = 'on'`,
      `ALTER DATABASE "audit" SET default_transaction_read_only = 'o''ff'`,
      'COMMIT',
    ]);
  });
});
