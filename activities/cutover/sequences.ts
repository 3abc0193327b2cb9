import { fenceSchema } from '../../plan/names';
import { escapeIdentifier, escapeLiteral, queryRows, type Session } from '../postgres/session';

/** So many sequences are read, or set, in one statement. */
const BATCH = 500;

export interface SequenceName {
  readonly schema: string;
  readonly name: string;
}

interface SequenceState extends SequenceName {
  readonly last_value: string;
  readonly is_called: boolean;
}

/** Every sequence of a database, temporary ones and ours apart. Read before the pause. */
export async function listSequences(session: Session, migration: string): Promise<SequenceName[]> {
  return queryRows<{ schema: string; name: string }>(
    session,
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'S' AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', $1) ORDER BY 1, 2`,
    [fenceSchema(migration)],
  );
}

const qualified = ({ schema, name }: SequenceName) => `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`;

/**
 * Logical replication leaves sequences behind; this brings them up to the source's state, `last_value` and `is_called`
 * as they are. Never backwards in the sequence's own direction (but for one that cycles), so a second run does no harm.
 * @returns how many sequences there are
 */
export async function copySequences(source: Session, target: Session, names: readonly SequenceName[]): Promise<number> {
  for (let start = 0; start < names.length; start += BATCH) {
    const states = await readStates(source, names.slice(start, start + BATCH));
    await writeStates(target, states);
  }
  return names.length;
}

async function readStates(source: Session, names: readonly SequenceName[]): Promise<SequenceState[]> {
  const parts = names.map(
    (one) =>
      `SELECT ${escapeLiteral(one.schema)} AS schema, ${escapeLiteral(one.name)} AS name, last_value::text, is_called FROM ${qualified(one)}`,
  );
  return queryRows<SequenceState>(source, parts.join(' UNION ALL '));
}

async function writeStates(target: Session, states: readonly SequenceState[]): Promise<void> {
  const parts = states.map((one) => {
    const ahead = `(now.last_value::numeric, now.is_called::int)`;
    const wanted = `(${one.last_value}::numeric, ${one.is_called ? 1 : 0})`;
    return `SELECT setval(${escapeLiteral(qualified(one))}::regclass, ${one.last_value}, ${one.is_called})
              FROM ${qualified(one)} AS now, pg_sequence AS s
             WHERE s.seqrelid = ${escapeLiteral(qualified(one))}::regclass
               AND CASE WHEN s.seqcycle THEN true WHEN s.seqincrement > 0 THEN ${ahead} < ${wanted}
                        ELSE (-now.last_value::numeric, now.is_called::int) < (-(${one.last_value})::numeric, ${one.is_called ? 1 : 0}) END`;
  });
  if (parts.length > 0) await target.query(parts.join(' UNION ALL '));
}
