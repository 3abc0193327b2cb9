import { createHash, randomBytes, randomInt, randomUUID } from 'node:crypto';
import { OwnRows, type OwnRow } from './own-rows';
import type { Transaction } from './session';
import type { Effects, Operation, Workload } from './workload';

/** Years of the partitions, and one that only the default partition takes. */
const YEARS = [2024, 2025, 2026];

/** What a connection does to the database `shop`. */
export function shopWorkload(): Workload {
  const pools = {
    customers: new OwnRows(),
    products: new OwnRows(),
    orders: new OwnRows(),
    documents: new OwnRows(),
    stock_levels: new OwnRows(),
  };
  const { customers, products, orders, documents, stock_levels: stock } = pools;

  const operations: Operation[] = [
    {
      name: 'register customer',
      weight: 14,
      async run(transaction, effects) {
        const uid = randomUUID();
        const { id } = await transaction.one<{ id: string }>(
          `INSERT INTO customers (uid, email, tags, profile) VALUES ($1, $2, $3, $4) RETURNING id`,
          [
            uid,
            `${uid}@example.com`,
            ['web', `batch ${randomInt(100)}`],
            JSON.stringify({ from: 'web', n: randomInt(1e6) }),
          ],
        );
        transaction.note('customers', 'insert', uid, 1);
        effects.inserted(customers, { uid, version: 1, key: [id] });
        await event(transaction, 'customer registered');
        return true;
      },
    },
    {
      name: 'place order',
      weight: 24,
      async run(transaction, effects) {
        const [customer, product] = [customers.pick(), products.pick()];
        if (!customer || !product) return false;
        const uid = randomUUID();
        const placedOn = `${YEARS[randomInt(YEARS.length)]}-${String(1 + randomInt(12)).padStart(2, '0')}-15`;
        const { id } = await transaction.one<{ id: string }>(
          `INSERT INTO orders (placed_on, uid, customer_id, total) VALUES ($1, $2, $3, $4) RETURNING id`,
          [placedOn, uid, customer.key[0], (randomInt(100_000) / 100).toFixed(2)],
        );
        transaction.note('orders', 'insert', uid, 1);
        effects.inserted(orders, { uid, version: 1, key: [id, placedOn] });
        for (let line = 1; line <= 1 + randomInt(3); line += 1) {
          const item = randomUUID();
          await transaction.one(
            `INSERT INTO order_items (order_id, placed_on, line_no, uid, product_uid, quantity, unit_price)
             VALUES ($1, $2, $3, $4, $5, $6, $7)`,
            [id, placedOn, line, item, product.uid, 1 + randomInt(9), (randomInt(10_000) / 100).toFixed(2)],
          );
          transaction.note('order_items', 'insert', item, 1);
        }
        await changeCustomer(transaction, effects, customer);
        await event(transaction, 'order placed');
        return true;
      },
    },
    {
      name: 'change customer',
      weight: 14,
      async run(transaction, effects) {
        const customer = customers.pick();
        if (!customer) return false;
        await changeCustomer(transaction, effects, customer);
        return true;
      },
    },
    {
      name: 'change order',
      weight: 8,
      async run(transaction, effects) {
        const order = orders.pick();
        if (!order) return false;
        await update(transaction, effects, 'orders', 'id = $1 AND placed_on = $2', 'total = total + 0.01', order);
        return true;
      },
    },
    {
      name: 'cancel order',
      weight: 8,
      async run(transaction, effects) {
        const order = orders.pick();
        if (!order) return false;
        const items = await transaction.query<{ uid: string; version: number }>(
          'DELETE FROM order_items WHERE order_id = $1 AND placed_on = $2 RETURNING uid, version',
          order.key,
        );
        for (const { uid, version } of items.rows) transaction.note('order_items', 'delete', uid, version);
        await remove(transaction, effects, 'orders', 'id = $1 AND placed_on = $2', orders, order);
        await event(transaction, 'order cancelled');
        return true;
      },
    },
    {
      name: 'change product',
      weight: 8,
      async run(transaction, effects) {
        const product = products.pick();
        if (!product) return false;
        await update(transaction, effects, 'products', 'uid = $1', 'price = price + 0.01', product);
        return true;
      },
    },
    {
      name: 'add product',
      weight: 4,
      async run(transaction, effects) {
        const uid = randomUUID();
        await transaction.one('INSERT INTO products (uid, name, price, weight, picture) VALUES ($1, $2, $3, $4, $5)', [
          uid,
          `product ${uid}`,
          (randomInt(100_000) / 100).toFixed(2),
          Math.random() * 10,
          randomInt(4) === 0 ? randomBytes(3_000) : null,
        ]);
        transaction.note('products', 'insert', uid, 1);
        effects.inserted(products, { uid, version: 1, key: [uid] });
        return true;
      },
    },
    {
      name: 'move stock',
      weight: 10,
      async run(transaction, effects) {
        const [from, to] = [stock.pick(), stock.pick()];
        if (!from || !to || from === to) return false;
        for (const row of [from, to]) {
          const change = `on_hand = on_hand ${row === from ? '-' : '+'} 1, counted_at = clock_timestamp()`;
          await update(transaction, effects, 'stock_levels', 'warehouse = $1 AND sku = $2', change, row);
        }
        return true;
      },
    },
    {
      name: 'list and unlist stock',
      weight: 4,
      async run(transaction, effects) {
        const old = stock.pick();
        if (old) await remove(transaction, effects, 'stock_levels', 'warehouse = $1 AND sku = $2', stock, old);
        const uid = randomUUID();
        const { sku } = await transaction.one<{ sku: number }>(
          `INSERT INTO stock_levels (warehouse, sku, uid, on_hand) VALUES ('west', nextval('stock_sku'), $1, 0) RETURNING sku`,
          [uid],
        );
        transaction.note('stock_levels', 'insert', uid, 1);
        effects.inserted(stock, { uid, version: 1, key: ['west', sku] });
        return true;
      },
    },
    {
      name: 'write document',
      weight: 3,
      async run(transaction, effects) {
        const uid = randomUUID();
        const { id } = await transaction.one<{ id: number }>(
          'INSERT INTO documents (uid, title, body, attachment) VALUES ($1, $2, $3, $4) RETURNING id',
          [uid, 'a draft', randomBytes(2_000 + randomInt(10_000)).toString('hex'), randomBytes(500)],
        );
        transaction.note('documents', 'insert', uid, 1);
        effects.inserted(documents, { uid, version: 1, key: [id] });
        return true;
      },
    },
    {
      name: 'rename document',
      // The body stays as it is: an unchanged TOASTed value isn't sent by logical replication.
      weight: 2,
      async run(transaction, effects) {
        const document = documents.pick();
        if (!document) return false;
        await update(transaction, effects, 'documents', 'id = $1', "title = title || '.'", document);
        return true;
      },
    },
    {
      name: 'delete document',
      weight: 1,
      async run(transaction, effects) {
        const document = documents.pick();
        if (!document) return false;
        await remove(transaction, effects, 'documents', 'id = $1', documents, document);
        return true;
      },
    },
  ];

  return {
    pools: [
      { table: 'customers', key: ['id'], share: 'uid', rows: customers },
      { table: 'products', key: ['uid'], share: 'uid', rows: products },
      { table: 'orders', key: ['id', 'placed_on'], share: 'uid', rows: orders },
      { table: 'documents', key: ['id'], share: 'uid', rows: documents },
      { table: 'stock_levels', key: ['warehouse', 'sku'], share: 'uid', rows: stock },
    ],
    operations,
  };
}

/** The trigger writes a row of customer_audit with it; its uid follows from the change. */
async function changeCustomer(transaction: Transaction, effects: Effects, customer: OwnRow): Promise<void> {
  const change = `credit = credit + 0.01, profile = profile || '{"seen": true}', status = 'active'`;
  await update(transaction, effects, 'customers', 'id = $1', change, customer);
  transaction.note('customer_audit', 'insert', auditUid(customer.uid, customer.version + 1), 1);
}

/** What PostgreSQL makes of `md5(uid || ':' || version)::uuid`. */
export function auditUid(uid: string, version: number): string {
  const hex = createHash('md5').update(`${uid}:${version}`).digest('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** An insert into the table without a key. */
export async function event(transaction: Transaction, what: string): Promise<void> {
  const uid = randomUUID();
  await transaction.one('INSERT INTO events (uid, what) VALUES ($1, $2)', [uid, what]);
  transaction.note('events', 'insert', uid, 1);
}

/** Updates a row of ours, provided that it still has the version that we left. */
export async function update(
  transaction: Transaction,
  effects: Effects,
  table: string,
  where: string,
  change: string,
  row: OwnRow,
): Promise<void> {
  transaction.note(table, 'update', row.uid, row.version + 1);
  const version = row.key.length + 1;
  await transaction.one(
    `UPDATE ${table} SET ${change}, version = version + 1 WHERE ${where} AND version = $${version}`,
    [...row.key, row.version],
  );
  effects.updated(row);
}

/** Deletes a row of ours, provided that it still has the version that we left. */
export async function remove(
  transaction: Transaction,
  effects: Effects,
  table: string,
  where: string,
  pool: OwnRows,
  row: OwnRow,
): Promise<void> {
  transaction.note(table, 'delete', row.uid, row.version);
  const version = row.key.length + 1;
  await transaction.one(`DELETE FROM ${table} WHERE ${where} AND version = $${version}`, [...row.key, row.version]);
  effects.deleted(pool, row);
}
