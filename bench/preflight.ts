import { cpus } from 'node:os';
import { ActivityLab, migrationRef } from '../test/support/activity-lab';
import { SMALLEST_PLAN } from '../test/support/plan';

const DATABASES = Number(process.env['KEYSHIFT_BENCH_DATABASES'] ?? 50);
const TABLES = Number(process.env['KEYSHIFT_BENCH_TABLES'] ?? 10_000);
const RUNS = 3;
/** What issue 4 asks for. */
const BAR_SECONDS = 15;

const { instance } = SMALLEST_PLAN.source;

/** Tables as applications have them: a key, an index, a sequence, a trigger on some; some without a replica identity. */
const schemaOf = (tables: number): string => `
  CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
  DO $$ BEGIN
    FOR n IN 1..${tables} LOOP
      EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY, what text, doc jsonb, at timestamptz, amount numeric)', n);
      EXECUTE format('CREATE INDEX ON t%s (at)', n);
      IF n % 10 = 0 THEN EXECUTE format('CREATE TRIGGER tr BEFORE INSERT ON t%s FOR EACH ROW EXECUTE FUNCTION nothing()', n); END IF;
      IF n % 20 = 0 THEN EXECUTE format('CREATE TABLE bare%s (a int NOT NULL UNIQUE, b text)', n); END IF;
      IF n % 200 = 0 THEN COMMIT; END IF;
    END LOOP;
  END $$`;

async function main(): Promise<void> {
  const lab = await ActivityLab.open('16');
  try {
    const each = Math.ceil(TABLES / DATABASES);
    console.log(`${TABLES} tables in ${DATABASES} databases are made...`);
    await lab.sql(instance, 'CREATE DATABASE db_1');
    for (const statement of splitOnce(schemaOf(each))) await lab.sql(instance, statement, 'db_1');
    for (let n = 2; n <= DATABASES; n++) await lab.sql(instance, `CREATE DATABASE db_${n} TEMPLATE db_1`);
    const seconds: number[] = [];
    for (let run = 1; run <= RUNS; run++) {
      const startedAt = performance.now();
      const { checks, source } = await lab.run('runPreflight', migrationRef());
      seconds.push((performance.now() - startedAt) / 1_000);
      const unmade = checks.filter(({ message }) => message.startsWith('This could not be checked'));
      console.log(
        `run ${run}: ${seconds.at(-1)?.toFixed(1)} s, ${checks.length} checks, ${source?.tables} tables in ${source?.databases.length} databases, ${unmade.length} not made`,
      );
      if (unmade.length > 0 || (source?.tables ?? 0) < TABLES) process.exitCode = 1;
    }
    const worst = Math.max(...seconds);
    console.log(`${cpus().length} cores; slowest of ${RUNS}: ${worst.toFixed(1)} s, bar ${BAR_SECONDS} s`);
    if (worst > BAR_SECONDS) process.exitCode = 1;
  } finally {
    await lab.close();
  }
}

/** The function first: a DO block that commits can't share a query with anything. */
function splitOnce(schema: string): string[] {
  const at = schema.indexOf('DO $$');
  return [schema.slice(0, at), schema.slice(at)];
}

void main();
