import { fenceSchema } from '../../plan/names';
import { outOfReach } from '../postgres/extension-tables';
import { escapeIdentifier, queryRows, type Session } from '../postgres/session';

/** So many sequences that never gave a value are read in one statement; the others all are. */
const UNCALLED_PER_STATEMENT = 500;

export interface SequenceName {
  readonly schema: string;
  readonly name: string;
  readonly increment: bigint;
  readonly cycles: boolean;
  /** Ends of the sequence or, where that is nearer, of the column that it is for. */
  readonly min: bigint;
  readonly max: bigint;
}

/** What a sequence stands at: `called` says whether `value` has been given. */
export interface SequenceState {
  readonly value: bigint;
  readonly called: boolean;
}

/** Every sequence of a database, temporary ones, ours and those of RDS's own extensions apart. Read before the pause. */
export async function listSequences(session: Session, migration: string): Promise<SequenceName[]> {
  const rows = await queryRows<Record<'schema' | 'name' | 'increment' | 'min' | 'max', string> & { cycles: boolean }>(
    session,
    `SELECT n.nspname AS schema, c.relname AS name, s.seqincrement::text AS increment, s.seqcycle AS cycles,
            greatest(s.seqmin, min(CASE a.atttypid WHEN 'int2'::regtype THEN -32768 WHEN 'int4'::regtype THEN -2147483648 END))::text AS min,
            least(s.seqmax, min(CASE a.atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647 END))::text AS max
       FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid AND NOT ${outOfReach()} JOIN pg_namespace n ON n.oid = c.relnamespace
       LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
              AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
       LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema', $1)
      GROUP BY 1, 2, s.seqincrement, s.seqcycle, s.seqmin, s.seqmax ORDER BY 1, 2`,
    [fenceSchema(migration)],
  );
  return rows.map(({ schema, name, cycles, increment, min, max }) => ({
    schema,
    name,
    cycles,
    increment: BigInt(increment),
    min: BigInt(min),
    max: BigInt(max),
  }));
}

const labelOf = ({ schema, name }: { schema: string; name: string }): string =>
  `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`;

/**
 * Logical replication leaves sequences behind; this brings them to the source's state, `last_value` and `is_called`
 * as they are, or `margin` values ahead of it.
 * @param way `forward`: never backwards in the sequence's own direction (but for one that cycles), so that it does no harm to a target that
 * may have given values. `exactly`: also back, where somebody has set the source's back (`RESTART`, `setval`, `TRUNCATE ... RESTART IDENTITY`); only while
 * nobody uses the target, and the source stands still.
 * @returns how many sequences there are
 */
export async function copySequences(
  source: Session,
  target: Session,
  names: readonly SequenceName[],
  margin = 0,
  way: 'forward' | 'exactly' = 'forward',
): Promise<number> {
  if (names.length === 0) return 0;
  const [there, here] = await Promise.all([readStates(source, names), readStates(target, names)]);
  const wanted: { label: string; state: SequenceState }[] = [];
  for (const one of names) {
    const label = labelOf(one);
    const [from, now] = [there.get(label), here.get(label)];
    if (!from) continue; // dropped since it was listed
    const state = withMargin(one, from, margin);
    if (!now || (way === 'exactly' ? !isEqual(state, now) : isAhead(one, state, now))) wanted.push({ label, state });
  }
  await writeStates(target, wanted);
  return names.length;
}

const isEqual = (one: SequenceState, other: SequenceState): boolean =>
  one.value === other.value && one.called === other.called;

/** Whether the target has to move, where it only moves forward. */
export function isAhead({ cycles, increment }: SequenceName, wanted: SequenceState, now: SequenceState): boolean {
  const equal = isEqual(wanted, now);
  if (equal || cycles) return !equal;
  if (wanted.value === now.value) return wanted.called;
  return increment > 0n ? wanted.value > now.value : wanted.value < now.value;
}

/** A state so many values further on, but never past the end of the sequence or of its column. */
export function withMargin(
  { increment, min, max }: SequenceName,
  { value, called }: SequenceState,
  margin: number,
): SequenceState {
  const room = increment > 0n ? (max - value) / increment : (value - min) / -increment;
  const steps = room < 0n ? 0n : room < BigInt(margin) ? room : BigInt(margin);
  return { value: value + steps * increment, called };
}

/**
 * States of sequences, by label: one statement for all that have given a value, whatever their number.
 * `pg_sequence_last_value` is NULL for those that have not; these are read one by one, many in a statement.
 */
export async function readStates(
  session: Session,
  names: readonly SequenceName[],
): Promise<Map<string, SequenceState>> {
  const rows = await queryRows<{ place: number; value: string | null }>(
    session,
    `SELECT wanted.place::int AS place, pg_sequence_last_value(c.oid)::text AS value
       FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted(schema, name, place)
       JOIN pg_namespace n ON n.nspname = wanted.schema
       JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind = 'S'`,
    [names.map(({ schema }) => schema), names.map(({ name }) => name)],
  );
  const states = new Map<string, SequenceState>();
  const uncalled: string[] = [];
  for (const { place, value } of rows) {
    const label = labelOf(names[place - 1] as SequenceName);
    if (value === null) uncalled.push(label);
    else states.set(label, { value: BigInt(value), called: true });
  }
  for (let start = 0; start < uncalled.length; start += UNCALLED_PER_STATEMENT) {
    const some = uncalled.slice(start, start + UNCALLED_PER_STATEMENT);
    const parts = some.map(
      (label, place) => `SELECT ${place} AS place, last_value::text AS value, is_called FROM ${label}`,
    );
    for (const { place, value, is_called } of await queryRows<{ place: number; value: string; is_called: boolean }>(
      session,
      parts.join(' UNION ALL '),
    ))
      states.set(some[place] as string, { value: BigInt(value), called: is_called });
  }
  return states;
}

async function writeStates(
  target: Session,
  wanted: readonly { readonly label: string; readonly state: SequenceState }[],
): Promise<void> {
  if (wanted.length === 0) return;
  await target.query(
    `SELECT count(setval(wanted.label::regclass, wanted.value, wanted.called))
       FROM unnest($1::text[], $2::bigint[], $3::boolean[]) AS wanted(label, value, called)`,
    [
      wanted.map(({ label }) => label),
      wanted.map(({ state }) => state.value.toString()),
      wanted.map(({ state }) => state.called),
    ],
  );
}
