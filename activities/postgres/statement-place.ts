import type { Client } from 'pg';

/** Where a statement of ours failed. */
export interface StatementPlace {
  readonly database: string;
  /** As in `application_name`. */
  readonly step: string;
  /** Its beginning, without the values in it; in a statement that may hold a secret only its first words. */
  readonly statement: string;
}

/** So much of a statement tells it from others. */
const MOST_CHARACTERS = 300;
const SECRETIVE = /password|conninfo|connection/i;
/** Single-quoted literals, and dollar-quoted ones. */
const LITERALS = /'(?:[^']|'')*'|\$(\w*)\$[^]*?\$\1\$/g;
/** Bounds of pages and the like, which are others at each try. */
const NUMBERS = /\b\d{3,}\b/g;

const places = new WeakMap<Error, StatementPlace>();

/** Where the statement failed that gave this error; undefined: it comes of no session of ours. */
export const placeOf = (error: Error): StatementPlace | undefined => places.get(error);

/** The same text for the same statement with other values. */
export function withoutValues(statement: string): string {
  const bare = statement.replaceAll(LITERALS, "'...'").replaceAll(NUMBERS, '0').replaceAll(/\s+/g, ' ').trim();
  const shown = SECRETIVE.test(bare) ? `${bare.split(' ').slice(0, 2).join(' ')} ...` : bare;
  return shown.length <= MOST_CHARACTERS ? shown : `${shown.slice(0, MOST_CHARACTERS)}...`;
}

/** From now on errors of the session's statements are known by their place. */
export function rememberPlaces(client: Client, { database, step }: Omit<StatementPlace, 'statement'>): void {
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;
  client.query = ((...args: unknown[]) => {
    const asked = query(...args);
    // A stream has no promise, and tells its errors itself.
    if (!(asked instanceof Promise)) return asked;
    return asked.catch((error: unknown) => {
      if (error instanceof Error && !places.has(error)) {
        places.set(error, { database, step, statement: withoutValues(textOf(args[0])) });
      }
      throw error;
    });
  }) as Client['query'];
}

const textOf = (query: unknown): string =>
  typeof query === 'string' ? query : ((query as { text?: string } | undefined)?.text ?? '');
