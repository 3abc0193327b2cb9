import type { NotProven, TableDifference } from '../../plan/report';
import { queryRows, type Session, type Side } from '../postgres/session';
import type { Comparing, Decided, LeftOut } from './compare-database';
import { onlyOn, otherColumns, type Paired, type TablePair } from './differences';
import type { ComparedTable, ListedTable } from './list-tables';
import type { Placed, Reading } from './placed';
import type { Reader, ReaderPair } from './reader';
import { type Disagreements, fingerprintsOf, rowsOf } from './row-fingerprints';
import { fromOnly } from './row-sql';
import { wasThere } from './row-versions';
import { TableMap } from './table-name';
import type { AsOf } from './under-snapshots';

/** So many tables are counted in one statement. */
const COUNTED_AT_ONCE = 50;

/** `pg_current_snapshot()` of the pause on each side; that of the source is not known of a pause of an old version. */
export interface PauseSnapshots {
  readonly source?: string;
  readonly target: string;
}

/**
 * The comparison where the snapshots of the pause are lost. Of each side only those row versions are read that were there at the
 * pause: what applications write on the target since, and what the way back has brought to the source since, is left out of
 * both and counted. A row that neither side has any more is in no count: the target deleted it, and the way back did on the source.
 */
export class ByRowVersions implements Pick<Comparing, 'pair' | 'placed' | 'decide' | 'leftOut'> {
  readonly #readings = new TableMap<Reading>();
  readonly #where: Partial<Record<Side, string>>;

  constructor(
    private readonly asOf: AsOf,
    private readonly target: Session,
    private readonly readers: Readonly<Record<Side, Reader>>,
    snapshots: PauseSnapshots,
  ) {
    const { source } = snapshots;
    this.#where = { target: wasThere(snapshots.target), ...(source === undefined ? {} : { source: wasThere(source) }) };
  }

  /**
   * The catalog of the target is that of now; what DDL made of it since the pause shows by the versions of its rows. Tables are
   * paired by name, and one that was renamed since by its oid, which the clone has from the source.
   */
  async pair(database: string, source: readonly ListedTable[], target: readonly ListedTable[]): Promise<Paired> {
    const changed = await this.#changedDefinitions();
    const byName = new TableMap(target.map((table) => [table, table] as const));
    const byOid = new Map(target.map((table) => [table.oid, table]));
    const taken = new Set<ListedTable>();
    const found = { both: [] as TablePair[], differences: [] as TableDifference[], notProven: [] as NotProven[] };
    for (const table of source) {
      const twin = twinOf(table, byName.get(table), byOid.get(table.oid), changed.tables);
      if (!twin || taken.has(twin)) {
        found.notProven.push({ database, schema: table.schema, table: table.name, why: NO_TWIN });
        continue;
      }
      taken.add(twin);
      const { lost, listed } = asThen(table, twin, changed.columns.get(twin.oid) ?? new Set());
      const left = { ...table, columns: table.columns.filter((name) => !lost.has(name)) };
      const difference = otherColumns(database, left, listed);
      if (difference) {
        found.differences.push(difference);
        continue;
      }
      // A table that DDL touched, and of which nothing was there at the pause, may have been emptied since.
      const rewritten = changed.tables.has(twin.oid) ? (['target'] as const) : [];
      this.#readings.set(table, { where: this.#where, lost, rewritten });
      found.both.push({ table, source: table, target: listed });
    }
    const rest = target.filter((table) => !taken.has(table));
    const made = rest.filter(({ oid }) => changed.tables.has(oid));
    for (const table of rest.filter((one) => !made.includes(one)))
      found.differences.push(onlyOn('target', database, table));
    return {
      ...found,
      unpaired: { source: source.length - found.both.length, target: target.length - found.both.length },
      since: made.length > 0 ? [`target: ${made.length} tables are new, or have another name`] : [],
    };
  }

  placed(tables: readonly TablePair[]): Promise<TableMap<Placed>> {
    return this.asOf.placed(tables, ({ table }) => this.#readings.get(table) ?? { where: this.#where });
  }

  /** Row versions that came since the pause. */
  async leftOut(tables: readonly TablePair[]): Promise<TableMap<LeftOut>> {
    const counts = await Promise.all(
      (['source', 'target'] as const).map((side) =>
        this.#countSince(
          side,
          tables.map(({ table }) => table),
        ),
      ),
    );
    const [there, here] = counts;
    return new TableMap(
      tables.map(({ table }) => [
        table,
        { changedSince: here?.get(table) ?? 0, sourceChangedSince: there?.get(table) ?? 0 },
      ]),
    );
  }

  /** Rows that one side had at the pause and the other one, as far as it still shows, had not. */
  async decide(pair: ReaderPair, table: ComparedTable, found: Disagreements): Promise<Decided> {
    const whole = { ...table, from: table.whole ?? {} };
    const only = (side: Side) =>
      new Map(
        [...found].filter(([, sides]) => (side === 'source' ? sides.target === undefined : sides.source === undefined)),
      );
    const hasKey = table.key.length > 0;
    const [onlyThere, onlyHere] = [only('source'), only('target')];
    const [here, there] = await Promise.all([
      hasKey && onlyThere.size > 0 ? fingerprintsOf(pair.target, whole, onlyThere) : undefined,
      hasKey && onlyHere.size > 0 ? fingerprintsOf(pair.source, whole, onlyHere) : undefined,
    ]);
    const different: Disagreements = new Map();
    let [goneSince, notCompared] = [0, 0];
    for (const [key, sides] of found) {
      const [ofSource, ofTarget] = [rowsOf(sides.source), rowsOf(sides.target)];
      if (sides.target === undefined && here?.has(key)) notCompared += ofSource;
      else if (sides.target === undefined || (!hasKey && ofSource > ofTarget)) {
        goneSince += ofSource - ofTarget;
        notCompared += ofSource - ofTarget;
      } else if (sides.source !== undefined || !there?.has(key)) different.set(key, sides);
    }
    return { different, goneSince, notCompared };
  }

  /** Rows of the target's catalog that were written since: tables, and columns by table and number. */
  async #changedDefinitions() {
    const isNew = `NOT ${this.#where.target}`;
    const tables = await queryRows<{ oid: number }>(
      this.target,
      `SELECT t.oid::int8::float8 AS oid FROM pg_class AS t WHERE t.relkind = 'r' AND t.oid >= 16384 AND ${isNew}`,
    );
    const columns = await queryRows<{ oid: number; numbers: number[] }>(
      this.target,
      `SELECT t.attrelid::int8::float8 AS oid, json_agg(t.attnum) AS numbers
         FROM pg_attribute AS t WHERE t.attrelid >= 16384 AND t.attnum > 0 AND ${isNew} GROUP BY 1`,
    );
    return {
      tables: new Set(tables.map(({ oid }) => oid)),
      columns: new Map(columns.map(({ oid, numbers }) => [oid, new Set(numbers)])),
    };
  }

  async #countSince(side: Side, tables: readonly ComparedTable[]): Promise<TableMap<number>> {
    const [where, found] = [this.#where[side], new TableMap<number>()];
    if (where === undefined) return found;
    for (let at = 0; at < tables.length; at += COUNTED_AT_ONCE) {
      const some = tables.slice(at, at + COUNTED_AT_ONCE);
      const rows = await this.readers[side].rows<{ i: number; count: string }>(
        some
          .map((table, i) => {
            const from = fromOnly({ ...table, from: table.whole ?? {} }, side);
            return `SELECT ${i} AS i, count(*)::text AS count FROM ${from} WHERE NOT ${where}`;
          })
          .join(' UNION ALL '),
      );
      for (const { i, count } of rows) found.set(some[i] as ComparedTable, Number(count));
    }
    return found;
  }
}

const NO_TWIN =
  'the target has no such table now: it was dropped there since, or it never came; without the snapshots of the pause nobody can tell';

/** The table of the target that was this one at the pause. */
function twinOf(
  table: ListedTable,
  byName: ListedTable | undefined,
  byOid: ListedTable | undefined,
  changed: ReadonlySet<number>,
): ListedTable | undefined {
  if (byName && !changed.has(byName.oid)) return byName;
  // A number that two tables have by accident is told by their columns, and by that nobody changed its name.
  const isSame =
    byOid &&
    changed.has(byOid.oid) &&
    byOid.columns.length > 0 &&
    table.columns.every((name) => byOid.columns.includes(name));
  return isSame ? byOid : byName;
}

/** A table of the target as it was at the pause, by what the source's columns are; and the columns of which nothing is known any more. */
function asThen(table: ListedTable, twin: ListedTable, changed: ReadonlySet<number>) {
  const lost = new Map<string, string>();
  const kept: { name: string; attribute: ListedTable['attributes'][number] }[] = [];
  const used = new Set<number>();
  table.columns.forEach((name, place) => {
    const [number, type] = table.attributes[place] ?? [0, 0];
    const byName = twin.columns.indexOf(name);
    const byNumber = twin.attributes.findIndex(([one]) => one === number && changed.has(one));
    const at = byName >= 0 ? byName : byNumber;
    const attribute = twin.attributes[at];
    if (!attribute) {
      if (changed.has(number)) lost.set(name, 'it was dropped on the target since');
      return;
    }
    used.add(attribute[0]);
    if (changed.has(attribute[0]) && attribute[1] !== type) lost.set(name, 'its type was changed on the target since');
    else kept.push({ name, attribute });
  });
  twin.columns.forEach((name, place) => {
    const attribute = twin.attributes[place];
    // Added since: not there at the pause.
    if (attribute && !used.has(attribute[0]) && !changed.has(attribute[0])) kept.push({ name, attribute });
  });
  const listed: ListedTable = {
    ...twin,
    schema: table.schema,
    name: table.name,
    columns: kept.map(({ name }) => name),
    attributes: kept.map(({ attribute }) => attribute),
  };
  return { lost, listed };
}
