import { randomInt, randomUUID } from 'node:crypto';
import { OwnRows, type OwnRow } from './own-rows';
import { event, remove, update } from './shop';
import type { Transaction } from './session';
import type { Workload } from './workload';

/** What a connection does to the database `ledger`. */
export function ledgerWorkload(): Workload {
  const [accounts, entries, statements] = [new OwnRows(), new OwnRows(), new OwnRows()];

  return {
    pools: [
      { table: 'accounts', key: ['id'], share: 'uid', rows: accounts },
      // Closing an account deletes its entries, so they are its owner's.
      {
        table: 'entries',
        key: ['account_id', 'entry_no'],
        share: 'SELECT a.uid FROM accounts a WHERE a.id = account_id',
        rows: entries,
      },
      { table: 'statements', key: ['id'], share: 'uid', rows: statements },
    ],
    operations: [
      {
        name: 'transfer',
        weight: 50,
        async run(transaction, effects) {
          const [from, to] = [accounts.pick(), accounts.pick()];
          if (!from || !to || from === to) return false;
          const uid = randomUUID();
          const amount = (randomInt(1_000_000) / 10_000).toFixed(4);
          await transaction.one('INSERT INTO transfers (uid, amount) VALUES ($1, $2)', [uid, amount]);
          transaction.note('transfers', 'insert', uid, 1);
          for (const [account, sign] of [
            [from, '-'],
            [to, '+'],
          ] as const) {
            await update(transaction, effects, 'accounts', 'id = $1', `balance = balance ${sign} ${amount}`, account);
            const entry = await addEntry(transaction, account, uid, `${sign}${amount}`);
            effects.inserted(entries, entry);
          }
          return true;
        },
      },
      {
        name: 'open account',
        weight: 12,
        async run(transaction, effects) {
          const uid = randomUUID();
          const { id } = await transaction.one<{ id: number }>(
            `INSERT INTO accounts (uid, currency, limits) VALUES ($1, 'EUR', $2) RETURNING id`,
            [uid, [randomInt(1000), null, -1]],
          );
          transaction.note('accounts', 'insert', uid, 1);
          effects.inserted(accounts, { uid, version: 1, key: [id] });
          await event(transaction, 'account opened');
          return true;
        },
      },
      {
        name: 'close account',
        weight: 4,
        async run(transaction, effects) {
          const account = accounts.pick();
          if (!account) return false;
          const gone = await transaction.query<{ uid: string; version: number; entry_no: number }>(
            'DELETE FROM entries WHERE account_id = $1 RETURNING uid, version, entry_no',
            account.key,
          );
          for (const { uid, version, entry_no: number } of gone.rows) {
            transaction.note('entries', 'delete', uid, version);
            effects.deleted(entries, { uid, version, key: [account.key[0] ?? '', number] });
          }
          await remove(transaction, effects, 'accounts', 'id = $1', accounts, account);
          await event(transaction, 'account closed');
          return true;
        },
      },
      {
        name: 'annotate entry',
        weight: 14,
        async run(transaction, effects) {
          const entry = entries.pick();
          if (!entry) return false;
          const where = 'account_id = $1 AND entry_no = $2';
          await update(transaction, effects, 'entries', where, `memo = 'note ' || version`, entry);
          return true;
        },
      },
      {
        name: 'issue statement',
        weight: 10,
        async run(transaction, effects) {
          const uid = randomUUID();
          const lines = JSON.stringify({ lines: Array.from({ length: 10 }, () => ({ amount: randomInt(1e9) / 1e4 })) });
          const { id } = await transaction.one<{ id: string }>(
            'INSERT INTO statements (uid, lines) VALUES ($1, $2) RETURNING id',
            [uid, lines],
          );
          transaction.note('statements', 'insert', uid, 1);
          effects.inserted(statements, { uid, version: 1, key: [id] });
          return true;
        },
      },
      {
        name: 'correct statement',
        weight: 6,
        async run(transaction, effects) {
          const statement = statements.pick();
          if (!statement) return false;
          const change = `lines = lines || jsonb_build_object('corrected', version)`;
          await update(transaction, effects, 'statements', 'id = $1', change, statement);
          return true;
        },
      },
    ],
  };
}

async function addEntry(transaction: Transaction, account: OwnRow, transfer: string, amount: string): Promise<OwnRow> {
  const uid = randomUUID();
  const { entry_no: number } = await transaction.one<{ entry_no: number }>(
    `INSERT INTO entries (account_id, entry_no, uid, transfer_uid, amount)
     SELECT $1, 1 + coalesce(max(entry_no), 0), $2, $3, $4 FROM entries WHERE account_id = $1 RETURNING entry_no`,
    [account.key[0], uid, transfer, amount],
  );
  transaction.note('entries', 'insert', uid, 1);
  return { uid, version: 1, key: [account.key[0] ?? '', number] };
}
