/** What a table is told apart by between two servers. Schema and name stay apart: joined, different tables may read alike. */
export interface TableName {
  readonly schema: string;
  readonly name: string;
}

/** A name that needs no quotes to be read as one part: no dot, no quote, no blank. */
const PLAIN = /^[^\s."]+$/;
const quoted = (part: string): string => (PLAIN.test(part) ? part : `"${part.replaceAll('"', '""')}"`);

/** For people: `public.orders`, `"a.b".c`. Two tables never read alike, but what decides is the name, never this. */
export const labelOf = ({ schema, name }: TableName): string => `${quoted(schema)}.${quoted(name)}`;

/** Order of code units: the same in every process, whatever the locale of a database. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** By schema, then by name. */
export const compareNames = (a: TableName, b: TableName): number =>
  compareText(a.schema, b.schema) || compareText(a.name, b.name);

/** Values by table. */
export class TableMap<T> {
  readonly #schemas = new Map<string, Map<string, { readonly table: TableName; readonly value: T }>>();

  constructor(entries: Iterable<readonly [TableName, T]> = []) {
    for (const [table, value] of entries) this.set(table, value);
  }

  get({ schema, name }: TableName): T | undefined {
    return this.#schemas.get(schema)?.get(name)?.value;
  }

  has({ schema, name }: TableName): boolean {
    return this.#schemas.get(schema)?.has(name) ?? false;
  }

  set({ schema, name }: TableName, value: T): void {
    let tables = this.#schemas.get(schema);
    if (!tables)
      this.#schemas.set(schema, (tables = new Map<string, { readonly table: TableName; readonly value: T }>()));
    tables.set(name, { table: { schema, name }, value });
  }

  delete({ schema, name }: TableName): void {
    this.#schemas.get(schema)?.delete(name);
  }

  clear(): void {
    this.#schemas.clear();
  }

  get size(): number {
    let size = 0;
    for (const tables of this.#schemas.values()) size += tables.size;
    return size;
  }

  *entries(): IterableIterator<readonly [TableName, T]> {
    for (const tables of this.#schemas.values()) for (const { table, value } of tables.values()) yield [table, value];
  }
}
