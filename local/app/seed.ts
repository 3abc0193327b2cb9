import type { Client } from 'pg';
import type { DatabaseName } from './schema';

/** Text that doesn't compress and so ends up in TOAST: `pieces` times 32 characters. */
const noise = (pieces: string): string =>
  `(SELECT string_agg(md5(random()::text), '') FROM generate_series(1, ${pieces}) WHERE n IS NOT NULL)`;

/** Share of all rows, and the statement that makes `$1` of them. */
const SEEDS: Readonly<Record<DatabaseName, readonly (readonly [share: number, sql: string])[]>> = {
  shop: [
    [
      0.1,
      `INSERT INTO customers (uid, email, status, tags, profile, credit)
       SELECT gen_random_uuid(), 'customer' || n || '@example.com',
         (ARRAY['new', 'active', 'dormant', 'closed'])[1 + n % 4]::customer_status,
         ARRAY['tier-' || n % 3, 'näive "quotes" \\ {' || n || '}'], jsonb_build_object('n', n, 'lang', 'de', 'nested', jsonb_build_array(n, NULL, 1.50)),
         (n * 1.25)::numeric(12,2)
       FROM generate_series(1, $1::int) n`,
    ],
    [
      0.1,
      `INSERT INTO products (uid, name, price, weight, picture)
       SELECT gen_random_uuid(), 'product ' || n, (n % 500) + 0.99, n / 7.0,
         CASE WHEN n % 10 = 0 THEN decode(${noise('100')}, 'hex') END
       FROM generate_series(1, $1::int) n`,
    ],
    [
      0.15,
      `INSERT INTO orders (placed_on, uid, customer_id, total, placed_at)
       SELECT date '2024-01-01' + n % 900, gen_random_uuid(),
         (SELECT min(id) FROM customers) + n % (SELECT count(*) FROM customers), n * 3.5, timestamptz '2024-01-01 UTC' + n * interval '1 minute'
       FROM generate_series(1, $1::int) n`,
    ],
    [
      0.15,
      `WITH numbered AS (SELECT uid, price, row_number() OVER (ORDER BY uid) AS n, count(*) OVER () AS total FROM products)
       INSERT INTO order_items (order_id, placed_on, line_no, uid, product_uid, quantity, unit_price)
       SELECT o.id, o.placed_on, 1, gen_random_uuid(), p.uid, 1 + o.id % 5, p.price
       FROM (SELECT id, placed_on FROM orders ORDER BY id LIMIT $1::int) o JOIN numbered p ON p.n = 1 + o.id % p.total`,
    ],
    [
      0.02,
      `INSERT INTO documents (uid, title, body, attachment)
       SELECT gen_random_uuid(), 'document ' || n, ${noise('100 + n % 400')}, decode(${noise('60')}, 'hex')
       FROM generate_series(1, $1::int) n`,
    ],
    [
      0.08,
      `INSERT INTO stock_levels (warehouse, sku, uid, on_hand)
       SELECT (ARRAY['north', 'south'])[1 + n % 2], nextval('stock_sku'), gen_random_uuid(), n % 1000
       FROM generate_series(1, $1::int) n`,
    ],
    [0.1, `INSERT INTO events (uid, what) SELECT gen_random_uuid(), 'seeded ' || n FROM generate_series(1, $1::int) n`],
  ],
  ledger: [
    [
      0.05,
      `INSERT INTO accounts (uid, currency, balance, limits)
       SELECT gen_random_uuid(), (ARRAY['EUR', 'USD', 'JPY'])[1 + n % 3], n * 1000.0001, ARRAY[n, -n, NULL]
       FROM generate_series(1, $1::int) n`,
    ],
    [
      0.05,
      `INSERT INTO transfers (uid, amount) SELECT gen_random_uuid(), n * 0.0100 FROM generate_series(1, $1::int) n`,
    ],
    [
      0.1,
      `WITH numbered AS (SELECT uid, amount, row_number() OVER (ORDER BY reference) AS n, count(*) OVER () AS total FROM transfers),
         counted AS (SELECT min(id) AS first, count(*) AS total FROM accounts)
       INSERT INTO entries (account_id, entry_no, uid, transfer_uid, amount, memo)
       SELECT c.first + s.n % c.total, 1 + s.n / c.total, gen_random_uuid(), t.uid, t.amount, CASE WHEN s.n % 3 = 0 THEN 'memo ' || s.n END
       FROM generate_series(0, $1::int - 1) s (n), counted c JOIN numbered t ON true WHERE t.n = 1 + s.n % t.total`,
    ],
    [
      0.03,
      `INSERT INTO statements (uid, lines)
       SELECT gen_random_uuid(), jsonb_build_object('n', n, 'lines', (SELECT jsonb_agg(i * n) FROM generate_series(1, 20) i))
       FROM generate_series(1, $1::int) n`,
    ],
    [
      0.07,
      `INSERT INTO events (uid, what) SELECT gen_random_uuid(), 'seeded ' || n FROM generate_series(1, $1::int) n`,
    ],
  ],
};

/** Fills one database with its share of `rows` rows; every table gets at least 40. */
export async function seed(client: Client, database: DatabaseName, rows: number): Promise<void> {
  for (const [share, sql] of SEEDS[database]) await client.query(sql, [Math.max(40, Math.round(rows * share))]);
}
