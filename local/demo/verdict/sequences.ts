import { escapeIdentifier, type Client } from 'pg';

/** A sequence as one server has it. */
export interface SequenceState {
  readonly name: string;
  readonly lastValue: bigint;
  readonly isCalled: boolean;
  readonly increment: bigint;
  /** The column that it feeds, if it belongs to one. */
  readonly column: { readonly table: string; readonly name: string } | undefined;
}

interface CatalogRow {
  readonly schema: string;
  readonly name: string;
  readonly increment: string;
  readonly owner_schema: string | null;
  readonly owner_table: string | null;
  readonly owner_column: string | null;
}

/** Every sequence of a database, by name. */
export async function readSequences(client: Client): Promise<Map<string, SequenceState>> {
  const { rows } = await client.query<CatalogRow>(`
    SELECT n.nspname AS schema, c.relname AS name, s.seqincrement::text AS increment,
      tn.nspname AS owner_schema, t.relname AS owner_table, a.attname AS owner_column
    FROM pg_sequence s
    JOIN pg_class c ON c.oid = s.seqrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
      AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
    LEFT JOIN pg_class t ON t.oid = d.refobjid
    LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE n.nspname !~ '^(pg_|keyshift)'`);
  const sequences = new Map<string, SequenceState>();
  for (const row of rows) {
    const name = qualified(row.schema, row.name);
    const state = await client.query<{ last_value: string; is_called: boolean }>(
      `SELECT last_value::text, is_called FROM ${name}`,
    );
    const { last_value: lastValue = '0', is_called: isCalled = false } = state.rows[0] ?? {};
    const { owner_schema: schema, owner_table: table, owner_column: column } = row;
    sequences.set(name, {
      name,
      lastValue: BigInt(lastValue),
      isCalled,
      increment: BigInt(row.increment),
      column:
        schema !== null && table !== null && column !== null
          ? { table: qualified(schema, table), name: escapeIdentifier(column) }
          : undefined,
    });
  }
  return sequences;
}

/** Sequences of the target that hand out, or handed out, a number that was taken; with the reason. */
export async function sequencesBehind(source: Client, target: Client): Promise<string[]> {
  const [before, after] = [await readSequences(source), await readSequences(target)];
  const behind: string[] = [];
  for (const [name, was] of before) {
    const is = after.get(name);
    if (!is) {
      behind.push(`${name} is not on the target`);
      continue;
    }
    const next = is.isCalled ? is.lastValue + is.increment : is.lastValue;
    const taken = was.isCalled ? was.lastValue : undefined;
    const { furthest, twice } = await usedNumbers(target, is);
    if (isTaken(next, taken, is.increment)) behind.push(`${name}: next is ${next}, the source handed out ${taken}`);
    else if (isTaken(next, furthest, is.increment)) behind.push(`${name}: next is ${next}, a row has ${furthest}`);
    else if (twice !== undefined) behind.push(`${name}: ${twice} was handed out twice`);
  }
  return behind;
}

/** Whether a sequence that goes on with `next` meets `number` again. */
export function isTaken(next: bigint, number: bigint | undefined, increment: bigint): boolean {
  if (number === undefined) return false;
  return increment > 0n ? next <= number : next >= number;
}

/** The furthest number in the column that the sequence feeds, and one that is there twice, if any. */
async function usedNumbers(
  client: Client,
  { column, increment }: SequenceState,
): Promise<{ furthest: bigint | undefined; twice: string | undefined }> {
  if (!column) return { furthest: undefined, twice: undefined };
  const { table, name } = column;
  const most = increment > 0n ? 'max' : 'min';
  const furthest = await client.query<{ number: string | null }>(
    `SELECT ${most}(${name})::text AS number FROM ${table}`,
  );
  const twice = await client.query<{ number: string }>(
    `SELECT ${name}::text AS number FROM ${table} GROUP BY ${name} HAVING count(*) > 1 LIMIT 1`,
  );
  const number = furthest.rows[0]?.number;
  return { furthest: number == null ? undefined : BigInt(number), twice: twice.rows[0]?.number };
}

function qualified(schema: string, name: string): string {
  return `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`;
}
