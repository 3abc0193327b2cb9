import { escapeIdentifier, type Side } from '../postgres/session';
import type { ListedTable } from './list-tables';
import type { PresentTable } from './present-tables';
import { only } from './row-sql';
import { labelOf } from './table-name';

/** How a table that was listed as of an earlier moment can be read now. */
export interface Placed {
  /** SQL to read it from, where that is not the whole table by its own names. */
  readonly from: Partial<Record<Side, string>>;
  /** The same with all rows. */
  readonly whole: Partial<Record<Side, string>>;
  /** Columns that can't be compared any more, each with the reason. */
  readonly lost: ReadonlyMap<string, string>;
  /** Why nothing of it can be compared. */
  readonly unreadable?: string;
  /** Sides on which its file is another one than then: an older snapshot sees none of the rows that were written anew. */
  readonly rewritten: readonly Side[];
  /** The same as long as nothing of this changes. */
  readonly signature: string;
  /** What was changed since, for people. */
  readonly since: readonly string[];
}

/** One side of a table: as it was, and as it is. */
interface Change {
  readonly side: Side;
  readonly was: ListedTable;
  readonly is: PresentTable | undefined;
  /** Types whose values print otherwise than then. */
  readonly changedTypes: ReadonlySet<number>;
}

/** Text and varchar print alike: a column that became the other can be read as before. */
const TEXTS = new Set([25, 1043]);

/** What else is known of how to read a table. */
export interface Reading {
  /** SQL conditions on `t`: which of its rows are read. */
  readonly where?: Partial<Record<Side, string>>;
  /** Columns that can't be compared, each with the reason. */
  readonly lost?: ReadonlyMap<string, string>;
  /** Sides on which it may have been written anew before it was listed. */
  readonly rewritten?: readonly Side[];
}

/** What DDL since then means for a table of both sides. @param changes one for each side */
export function placedBy(changes: readonly Change[], reading: Reading = {}): Placed {
  const from: Partial<Record<Side, string>> = {};
  const whole: Partial<Record<Side, string>> = {};
  const lost = new Map(reading.lost);
  const rewritten: Side[] = [...(reading.rewritten ?? [])];
  const since: string[] = [];
  for (const { side, was, is, changedTypes } of changes) {
    if (!is || is.kind !== 'r') {
      const unreadable = `it was dropped on the ${side} since`;
      return { from: {}, whole: {}, lost, unreadable, rewritten: [], signature: 'gone', since: [`${side}: dropped`] };
    }
    const columns = presentColumns({ side, was, is, changedTypes }, lost);
    const isRenamed = is.schema !== was.schema || is.name !== was.name;
    const renamed = [...columns].filter(([name, now]) => name !== now);
    if (isRenamed) since.push(`${side}: is ${labelOf(is)} now`);
    for (const [name, now] of renamed) since.push(`${side}: column ${name} is ${now} now`);
    const added = is.columns.filter(([number]) => !was.attributes.some(([one]) => one === number));
    for (const [, name] of added) since.push(`${side}: column ${name} added`);
    const where = reading.where?.[side];
    if (isRenamed || renamed.length > 0) from[side] = whole[side] = readFrom(is, columns);
    if (where !== undefined) from[side] = readFrom(is, columns, where);
    if (is.filenode !== was.filenode) {
      rewritten.push(side);
      since.push(`${side}: written anew`);
    }
  }
  for (const [name, why] of lost) since.push(`column ${name}: ${why}`);
  const signature = JSON.stringify([changes.map(({ is }) => is), [...lost]]);
  return { from, whole, lost, rewritten, signature, since };
}

/** Present names of the columns that can be compared, by the names they had; adds the others to `lost`. */
function presentColumns({ side, was, is, changedTypes }: Change & { is: PresentTable }, lost: Map<string, string>) {
  const now = new Map(is.columns.map((column) => [column[0], column]));
  const found = new Map<string, string>();
  was.attributes.forEach(([number, type, expression], place) => {
    const name = was.columns[place] as string;
    const column = now.get(number);
    if (!column) return void lost.set(name, `it was dropped on the ${side} since`);
    const [, present, presentType, presentExpression] = column;
    const isSameType = presentType === type || (TEXTS.has(presentType) && TEXTS.has(type));
    if (!isSameType) lost.set(name, `its type was changed on the ${side} since`);
    else if (changedTypes.has(type)) lost.set(name, `the definition of its type was changed on the ${side} since`);
    else if (presentExpression !== expression) lost.set(name, `its expression was changed on the ${side} since`);
    found.set(name, present);
  });
  return found;
}

/** The server pulls such a subquery up: it is read as the table itself, ranges of pages included. */
export function readFrom(
  table: Pick<PresentTable, 'schema' | 'name'>,
  columns: ReadonlyMap<string, string>,
  where = '',
): string {
  const selected = [...columns].map(([name, now]) => `t.${escapeIdentifier(now)} AS ${escapeIdentifier(name)}`);
  return `(SELECT ${['t.ctid AS ctid', 't.xmin AS xmin', ...selected].join(', ')} FROM ${only(table)}${where && ` WHERE ${where}`}) AS t`;
}
