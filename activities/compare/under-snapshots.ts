import { queryRows, type Session, type Side } from '../postgres/session';
import { type Comparing } from './compare-database';
import { pairTables, type Paired, type TablePair } from './differences';
import type { ListedTable } from './list-tables';
import { type Placed, placedBy, type Reading } from './placed';
import { changedTypes, presentTables, typeDefinitions } from './present-tables';
import { labelOf, TableMap, type TableName } from './table-name';

const SIDES = ['source', 'target'] as const;

/** So many new tables are named. */
const MOST_NEW = 20;

/**
 * What is compared was listed as of an earlier moment, by sessions whose snapshots are of it (`then`). A statement finds tables and
 * columns by the names that they have now, whatever snapshot it reads under, so these are looked up by oid and number
 * (`now`). DDL since then, of an application that is deployed for example, changes nothing of what is compared, or leaves something of
 * which nothing can be said: that has a name and a reason.
 */
export class AsOf {
  readonly #definitionsOf = new Map<Side, ReturnType<typeof typeDefinitions>>();

  constructor(
    then: Readonly<Record<Side, Session>>,
    private readonly now: Readonly<Record<Side, Session>>,
    /** Sessions that see what the types of each side were then. */
    private readonly types = then,
  ) {}

  /** By name, as of then; tables that were made since are named. */
  async pair(database: string, source: readonly ListedTable[], target: readonly ListedTable[]): Promise<Paired> {
    const paired = pairTables(database, source, target);
    const made = await queryRows<TableName>(
      this.now.target,
      `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384 AND left(n.nspname, 3) <> 'pg_'
          AND left(n.nspname, 9) <> 'keyshift_' AND NOT (n.nspname = 'cron' AND c.relname = 'job') AND c.oid <> ALL ($1::oid[]) ORDER BY 1, 2`,
      [target.map(({ oid }) => oid)],
    );
    const named = made.slice(0, MOST_NEW).map((table) => `target: table ${labelOf(table)} is new`);
    const more = made.length - named.length;
    return { ...paired, since: more > 0 ? [...named, `target: ${more} more tables are new`] : named };
  }

  async placed(tables: readonly TablePair[], reading?: (pair: TablePair) => Reading): Promise<TableMap<Placed>> {
    const [there, here] = await Promise.all(
      SIDES.map(async (side) => ({
        side,
        present: await presentTables(
          this.now[side],
          tables.map((pair) => pair[side].oid),
        ),
        changed: await changedTypes(await this.#definitions(side), this.now[side]),
      })),
    );
    return new TableMap(
      tables.map((pair) => {
        const changes = [there, here].flatMap((one) =>
          one
            ? [
                {
                  side: one.side,
                  was: pair[one.side],
                  is: one.present.get(pair[one.side].oid),
                  changedTypes: one.changed,
                },
              ]
            : [],
        );
        return [pair.table, placedBy(changes, reading?.(pair))] as const;
      }),
    );
  }

  #definitions(side: Side): ReturnType<typeof typeDefinitions> {
    const known = this.#definitionsOf.get(side) ?? typeDefinitions(this.types[side]);
    this.#definitionsOf.set(side, known);
    return known;
  }
}

/** Under the snapshots of the pause: what disagrees is different. */
export const underSnapshots = (asOf: AsOf): Pick<Comparing, 'pair' | 'placed' | 'decide'> => ({
  pair: (database, source, target) => asOf.pair(database, source, target),
  placed: (tables) => asOf.placed(tables),
  decide: (_pair, _table, found) => Promise.resolve({ different: found }),
});
