import type { Endpoint } from '../../postgres/session';

/** PgBouncer's, where an entry has no `port`. */
const DEFAULT_PORT = 5_432;

/** An entry of `[databases]`: what clients may ask for, and where it is. */
export interface Entry {
  /** `*`: every name that has no entry of its own. */
  readonly name: string;
  /** As it is written there: one host, or several with commas between. Undefined: a Unix socket. */
  readonly host: string | undefined;
  readonly port: number;
}

/** A parameter of an entry, and where its value stands in the line, quotes included. */
interface Parameter {
  readonly key: string;
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

interface EntryLine extends Entry {
  readonly line: string;
  readonly parameters: readonly Parameter[];
}

/** Name, `=`, and what follows; names of other characters than these stand in double quotes. */
const ENTRY = /^(\s*)(?:"((?:[^"]|"")*)"|([\w.*-]+))(\s*=\s*)/;
const SECTION = /^\s*\[([^\]]*)\]/;
/** `key=value` or `key='va''lue'`, as PgBouncer reads a connection string. */
const PARAMETER = /\s*([^=\s]+)\s*=\s*(?:'((?:[^']|'')*)'|([^\s']\S*))/y;

/**
 * The entries in the text of a file of PgBouncer's: those in its section `[databases]`, and those before the first section, since a
 * file that is included goes on where it is included.
 * @see https://www.pgbouncer.org/config.html#section-databases
 */
export const entriesOf = (text: string): Entry[] =>
  linesOf(text).flatMap((line) => (typeof line === 'string' ? [] : [line]));

/** Whether an entry, as written or as shown by the console, names a server. Names of hosts differ in nothing by case. */
export const namesServer = ({ host, port }: Pick<Entry, 'host' | 'port'>, server: Endpoint): boolean =>
  host?.toLowerCase() === server.address.toLowerCase() && port === server.port;

/** Whether an entry names a server beside others: PgBouncer then takes one of them at random, or in turn. */
export const namesAmongOthers = ({ host }: Pick<Entry, 'host'>, server: Endpoint): boolean =>
  host !== undefined &&
  host.includes(',') &&
  host.split(',').some((one) => one.trim().toLowerCase() === server.address.toLowerCase());

/**
 * Points entries at another server. Everything else stays as it is, byte by byte: comments, other entries, other sections, the other
 * parameters of an entry.
 * @param wanted which of the entries that name `from`
 */
export function rewriteEntries(
  text: string,
  from: Endpoint,
  to: Endpoint,
  wanted: (name: string) => boolean,
): { readonly text: string; readonly rewritten: readonly string[] } {
  const rewritten: string[] = [];
  const lines = linesOf(text).map((line) => {
    if (typeof line === 'string') return line;
    if (!namesServer(line, from) || !wanted(line.name)) return line.line;
    rewritten.push(line.name);
    return pointedAt(line, to);
  });
  return { text: lines.join(''), rewritten };
}

function linesOf(text: string): (EntryLine | string)[] {
  let inDatabases = true;
  return text.split(/(?<=\n)/).map((line) => {
    const section = SECTION.exec(line);
    if (section) inDatabases = section[1]?.trim() === 'databases';
    return (inDatabases && !section && entryOf(line)) || line;
  });
}

function entryOf(line: string): EntryLine | undefined {
  const start = ENTRY.exec(line);
  if (!start) return undefined;
  const [before, , quoted, bare] = start;
  const parameters: Parameter[] = [];
  PARAMETER.lastIndex = before.length;
  for (let match = PARAMETER.exec(line); match; match = PARAMETER.exec(line)) {
    const [all, key = '', inQuotes, plain = ''] = match;
    const end = match.index + all.length;
    const length = inQuotes === undefined ? plain.length : inQuotes.length + 2;
    const value = inQuotes?.replaceAll("''", "'") ?? plain;
    parameters.push({ key, value, start: end - length, end });
  }
  // What is named twice counts as it is named last.
  const valueOf = (key: string) => parameters.findLast((one) => one.key === key)?.value;
  return {
    name: quoted?.replaceAll('""', '"') ?? bare ?? '',
    host: valueOf('host'),
    port: Number(valueOf('port') ?? DEFAULT_PORT),
    line,
    parameters,
  };
}

function pointedAt({ line, parameters }: EntryLine, to: Endpoint): string {
  const hasPort = parameters.some(({ key }) => key === 'port');
  const port = hasPort || to.port === DEFAULT_PORT ? '' : ` port=${to.port}`;
  let rewritten = line;
  // From the end, so that the places of those before stay what they are.
  for (const { key, start, end } of [...parameters].reverse()) {
    if (key !== 'host' && key !== 'port') continue;
    const value = key === 'host' ? `${to.address}${port}` : String(to.port);
    rewritten = rewritten.slice(0, start) + value + rewritten.slice(end);
  }
  return rewritten;
}
