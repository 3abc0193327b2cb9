import { eachOf } from './each-of';

/** How a look opens its sessions: they end with it. */
export interface LookOptions {
  readonly signal?: AbortSignal;
}

/** Does something in each database. @returns what came of it; a database that was not looked at in time is not in it */
export type EachDatabase = <T>(
  what: string,
  databases: readonly string[],
  work: (database: string, options: LookOptions) => Promise<T>,
) => Promise<T[]>;

/** One after the other, each for as long as it takes. */
export const oneByOne: EachDatabase = (_what, databases, work) =>
  eachOf(databases, 1, (database) => work(database, {}));
