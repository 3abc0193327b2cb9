import type { Major } from '../../../local/postgres/binaries';
import type { CheckCode } from '../../../plan/checks';
import type { Random } from '../position/random';
import { Names } from './names';
import { qualified } from './sql';
import type { Encoding } from './text';

/** A type as a column has it. */
export interface ColumnType {
  /** Production of the grammar. */
  readonly feature: string;
  readonly sql: string;
  /** SQL of a value. */
  value(random: Random): string;
  /** It has an equality: a row can be found by it. */
  readonly equality: boolean;
  /** What is equal is the same, byte by byte: a row can be told from others by it. */
  readonly identical: boolean;
  /** Fit for a key: btree, many values. */
  readonly key: boolean;
}

export interface DraftColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
  /** Writers may give it a value. */
  writable: boolean;
}

/** How replication finds the rows of a table. */
export type Identity = 'key' | 'full';

export interface DraftTable {
  readonly schema: string;
  readonly name: string;
  readonly label: string;
  readonly columns: DraftColumn[];
  readonly identity: Identity;
  /** Where it is partitioned: no table of its own, but all rows go by it. */
  readonly kind: 'table' | 'partitioned' | 'unlogged' | 'view';
  /** What writers do to it. */
  readonly writes: { truncate: boolean; copy: boolean };
  /** Other tables refer to it. */
  referenced: boolean;
}

/** A role that owns things, or has a say in them. */
export interface DraftRole {
  readonly name: string;
}

/** What the databases of a seed have in common. */
export interface Server {
  readonly major: Major;
  /** Statements for the database `postgres`, before and after those of the databases. */
  readonly before: string[];
  readonly after: string[];
  readonly owners: DraftRole[];
  readonly writer: { readonly name: string; readonly password: string };
  readonly names: Names;
  /** How often each production of the grammar was used. */
  readonly features: Map<string, number>;
  /** Checks that may stop the preflight, by what the grammar has made on purpose. */
  readonly parks: Set<CheckCode>;
}

/** A database that is being thought out: its statements, in order, and what writers have to know of it. */
export class Draft {
  readonly statements: string[] = [];
  readonly tables: DraftTable[] = [];
  readonly schemas: string[] = ['public'];
  readonly types = new Map<string, ColumnType>();
  readonly extensions = new Map<string, string>();
  /** Labels of what a test means to change by hand, by what it is. */
  readonly marks = new Map<string, string>();
  /** Statements of traffic of a kind of its own: large objects, sequences, procedures. */
  readonly traffic: ((random: Random) => string)[] = [];
  readonly names: Names;

  constructor(
    readonly server: Server,
    readonly database: string,
    readonly encoding: Encoding,
    readonly random: Random,
  ) {
    this.names = new Names(random, encoding, (feature) => this.note(feature));
  }

  get major(): Major {
    return this.server.major;
  }

  note(feature: string): void {
    const { features } = this.server;
    features.set(feature, (features.get(feature) ?? 0) + 1);
  }

  run(...statements: string[]): void {
    this.statements.push(...statements);
  }

  schema(): string {
    return this.random.pick(this.schemas);
  }

  /** A new name in a schema, as parts and as a label. */
  place(room = 0): { schema: string; name: string; label: string } {
    const [schema, name] = [this.schema(), this.names.next(room)];
    return { schema, name, label: qualified(schema, name) };
  }

  /** A table of those that fit. */
  pickTable(fits: (table: DraftTable) => boolean = () => true): DraftTable | undefined {
    const some = this.tables.filter((table) => table.kind === 'table' && fits(table));
    return some.length === 0 ? undefined : this.random.pick(some);
  }
}

/** A production of the grammar. */
export interface Feature {
  readonly name: string;
  readonly since?: Major;
  readonly until?: Major;
  /** Only in databases of this encoding. */
  readonly encoding?: Encoding;
  /** Makes what stops the preflight, by these checks. */
  readonly parks?: readonly CheckCode[];
  /** @returns false where there was nothing that it could be added to */
  add(draft: Draft, random: Random): boolean | void;
}

export const isPossible = (
  { since, until, encoding }: Pick<Feature, 'since' | 'until' | 'encoding'>,
  draft: Draft,
): boolean =>
  (since ?? 0) <= draft.major && (until ?? Infinity) >= draft.major && (encoding ?? draft.encoding) === draft.encoding;
