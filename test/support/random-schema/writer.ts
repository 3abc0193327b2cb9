import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, DatabaseError } from 'pg';
import { Random } from '../position/random';
import type { ActivityLab } from '../activity-lab';
import { copyIn, csvLine } from './copy-in';
import type { Draft, DraftTable } from './draft';
import { insertInto, valuesOf } from './grammar/tables';
import { ident } from './sql';
import type { World } from './world';

/** Sessions on each database. */
const SESSIONS = 2;
/** Between two transactions: so many that all kinds come, and not so many that the machine does nothing else. */
const REST_MS = 40;
const RECONNECT_MS = 100;
/** Rows of a transaction that is decoded by way of files. */
const MANY_ROWS = 400;

/** What data says no to: a key that is there already, a condition, a conflict with another session. */
const REFUSED = /^(22|23|40|44)|^(54000|55006|55P03|P0001|42501)$/;
/** Two sessions that unlink the same large object: which of them the server refuses with what, depends. */
const SAME_OBJECT = /^(large object \d+ does not exist|tuple concurrently (updated|deleted))$/;
/** The session ends, or none is let in: a restart, or the fence. */
const AWAY = /^(57P0|08|28|25006|3D000|53300)/;

/** What writers did, and what they could not. */
export interface Written {
  readonly committed: number;
  readonly refused: number;
}

/**
 * Sessions of an application that writes all that the grammar has made, on whatever instance it is told, until its end. It comes back
 * after a restart, and stops trying when nobody lets it in.
 */
export class Writers {
  #going = true;
  #committed = 0;
  #refused = 0;
  readonly #broken: string[] = [];
  readonly #work: Promise<unknown>;

  private constructor(
    private readonly lab: ActivityLab,
    private readonly world: World,
    private readonly instance: string,
  ) {
    this.#work = Promise.all(
      world.databases.flatMap((draft, place) =>
        Array.from({ length: SESSIONS }, (_, session) =>
          this.write(draft, new Random(world.seed * 31 + place * 7 + session)),
        ),
      ),
    );
  }

  static start(lab: ActivityLab, world: World, instance: string): Writers {
    return new Writers(lab, world, instance);
  }

  get committed(): number {
    return this.#committed;
  }

  /** @throws Error where a statement failed for a reason that no data explains: the migration is in the way, or the grammar is wrong */
  async end(): Promise<Written> {
    this.#going = false;
    await this.#work;
    if (this.#broken.length > 0) throw new Error(`statements of writers failed: ${this.#broken.join('\n')}`);
    return { committed: this.#committed, refused: this.#refused };
  }

  private async write(draft: Draft, random: Random): Promise<void> {
    while (this.#going) {
      const client = await this.connect(draft).catch(() => undefined);
      if (!client) {
        await sleep(RECONNECT_MS);
        continue;
      }
      try {
        while (this.#going && (await this.transact(client, draft, random))) await sleep(REST_MS);
      } finally {
        await client.end().catch(() => undefined);
      }
    }
  }

  private connect({ database }: Draft): Promise<Client> {
    const { name: user, password } = this.world.writer;
    return this.lab.standIn.connect(this.instance, { database, user, password });
  }

  /** @returns whether the session is still of use */
  private async transact(client: Client, draft: Draft, random: Random): Promise<boolean> {
    let statement = 'BEGIN';
    const run = async (sql: string): Promise<void> => {
      statement = sql;
      await client.query(sql);
    };
    try {
      await run(random.percent(20) ? 'BEGIN; SET LOCAL synchronous_commit = off' : 'BEGIN');
      const steps = 1 + random.below(4);
      for (let step = 0; step < steps; step += 1) {
        const savepoint = random.percent(25);
        if (savepoint) await run('SAVEPOINT s');
        await this.step(client, draft, random, run);
        if (savepoint) await run(random.percent(40) ? 'ROLLBACK TO SAVEPOINT s' : 'RELEASE SAVEPOINT s');
      }
      const commits = !random.percent(10);
      await run(commits ? 'COMMIT' : 'ROLLBACK');
      if (commits) this.#committed += 1;
      return true;
    } catch (error) {
      return this.judge(client, error, statement);
    }
  }

  private async step(client: Client, draft: Draft, random: Random, run: (sql: string) => Promise<void>): Promise<void> {
    const table = draft.tables.length === 0 ? undefined : random.pick(draft.tables);
    if (!table || (draft.traffic.length > 0 && random.percent(30))) {
      const statement = draft.traffic.length > 0 ? random.pick(draft.traffic)(random) : 'SELECT 1';
      return run(statement);
    }
    const kind = random.below(100);
    if (kind < 3 && table.writes.truncate && !table.referenced) return run(`TRUNCATE ${table.label}`);
    if (kind < 6) return run(manyRows(table, random));
    if (kind < 12 && table.writes.copy) return copySome(client, table, random);
    if (kind < 50) return run(insertInto(table, random, 1 + random.below(4)));
    if (kind < 85) return run(update(table, random));
    return run(`DELETE FROM ${table.label} WHERE ${someRow(table, random)}`);
  }

  private async judge(client: Client, error: unknown, statement: string): Promise<boolean> {
    // What is no answer of the server is a connection that ended.
    if (!(error instanceof DatabaseError)) return false;
    const code = error.code ?? '';
    if (REFUSED.test(code) || SAME_OBJECT.test(error.message)) {
      this.#refused += 1;
      await client.query('ROLLBACK').catch(() => undefined);
      return true;
    }
    if (!AWAY.test(code) && this.#broken.length < 5) {
      this.#broken.push(`${code} ${error.message}: ${statement.slice(0, 500)}`);
    }
    return false;
  }
}

/** A row, or none: wherever it is. */
const someRow = ({ label }: DraftTable, random: Random): string =>
  `ctid = (SELECT ctid FROM ${label} OFFSET ${random.below(40)} LIMIT 1)`;

function update(table: DraftTable, random: Random): string {
  const writable = table.columns.filter((column) => column.writable);
  if (writable.length === 0) return `DELETE FROM ${table.label} WHERE ${someRow(table, random)}`;
  const some = [...new Set(random.some(writable, 3)), random.pick(writable)];
  const [columns, values] = [[...new Set(some)], valuesOf(random, [...new Set(some)])];
  const set = columns.map(({ name }, place) => `${ident(name)} = ${values[place]}`).join(', ');
  return `UPDATE ${table.label} SET ${set} WHERE ${someRow(table, random)}`;
}

/** Many rows in one statement; the key makes most of them differ, and where it does not, nothing is lost. */
function manyRows(table: DraftTable, random: Random): string {
  const some = insertInto(table, random, 1);
  const counted = table.columns.every(({ writable, nullable }) => !writable || nullable) || table.identity === 'full';
  return counted && some.includes(' VALUES ')
    ? some.replace(
        / VALUES \(([^]*)\)$/,
        (_all, values: string) => ` SELECT ${values} FROM generate_series(1, ${MANY_ROWS})`,
      )
    : insertInto(table, random, 20);
}

/** What the server makes of values, given back to it by COPY. */
async function copySome(client: Client, table: DraftTable, random: Random): Promise<void> {
  const given = table.columns.filter(({ writable }) => writable);
  if (given.length === 0 || table.kind === 'view') return;
  const lines: string[] = [];
  for (let row = 0; row < 3; row += 1) {
    const { rows } = await client.query<(string | null)[]>({
      text: `SELECT ${valuesOf(random, given)
        .map((value) => `(${value})::text`)
        .join(', ')}`,
      rowMode: 'array',
    });
    lines.push(csvLine(rows[0] ?? []));
  }
  const columns = given.map(({ name }) => ident(name)).join(', ');
  await copyIn(client, `COPY ${table.label} (${columns}) FROM STDIN (FORMAT csv)`, lines.join(''));
}
