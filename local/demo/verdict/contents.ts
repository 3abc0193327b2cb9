import type { Client } from 'pg';
import { withClient, type Login, type ServerAddress } from '../../app/databases';
import { readNotes } from '../../app/notes';
import { DATABASES, type DatabaseName } from '../../app/schema';
import { summarise, type NotesSummary } from './expectations';
import { judgeRows, noFindings, type RowFindings } from './judge-rows';
import { sequencesBehind } from './sequences';
import { listTables, readRows, type Rows } from './tables';

/** A server, and a login that may read everything on it. */
export interface Side {
  readonly server: ServerAddress;
  readonly login: Login;
}

/** Which move of traffic is judged, where there were several. */
export interface Move {
  /** Writes that were acknowledged before are none of those that came after it; milliseconds since the epoch. */
  readonly since?: number | undefined;
}

/** What source, target and notes say, taken together. */
export interface Contents extends RowFindings {
  readonly notes: NotesSummary;
  readonly tables: number;
  /** Sequences that hand out numbers that are taken, with the reason. */
  readonly behind: readonly string[];
}

/**
 * Compares every row of every table, every sequence, and every note. Nobody may write meanwhile. `source` is the side that was left,
 * `target` the one that is written to at the end: after a rollback they have changed places.
 */
export async function judgeContents(
  source: Side,
  target: Side,
  notesFile: string,
  { since = 0 }: Move = {},
): Promise<Contents> {
  const left = await endpointsOf(source);
  const notes = await summarise(readNotes(notesFile), ({ endpoint, at }) => !left.has(endpoint) && at > since);
  const findings = noFindings();
  const behind: string[] = [...notes.violated].map((constraint) => `${constraint} was violated after the cutover`);
  let tables = 0;
  for (const database of DATABASES) {
    await withClient(source.server, source.login, database, (before) =>
      withClient(target.server, target.login, database, async (after) => {
        tables += await judgeTables(database, before, after, notes, findings);
        behind.push(...(await sequencesBehind(before, after)));
      }),
    );
  }
  return { ...findings, notes, tables, behind };
}

/** What notes call a server: its address, or, through a pooler, what it says of itself. */
async function endpointsOf({ server, login }: Side): Promise<ReadonlySet<string>> {
  const said = await withClient(server, login, DATABASES[0], async (client) => {
    const ask = `SELECT host(inet_server_addr()) || ':' || inet_server_port() AS server`;
    return (await client.query<{ server: string | null }>(ask)).rows[0]?.server;
  });
  return new Set([`${server.host}:${server.port}`, ...(said == null ? [] : [said])]);
}

async function judgeTables(
  database: DatabaseName,
  source: Client,
  target: Client,
  notes: NotesSummary,
  findings: RowFindings,
): Promise<number> {
  const [before, after] = [await listTables(source), await listTables(target)];
  const tables = new Map([...before, ...after].map((table) => [`${table.schema}.${table.name}`, table]));
  for (const [name, table] of tables) {
    const on = (side: readonly (typeof table)[]): boolean => side.some((one) => `${one.schema}.${one.name}` === name);
    const nothing: Rows = new Map();
    const [old, fresh] = await Promise.all([
      on(before) ? readRows(source, table) : nothing,
      on(after) ? readRows(target, table) : nothing,
    ]);
    if (!on(before) || !on(after)) {
      findings.mismatches += 1;
      findings.examples.push(`mismatches: the table ${database}.${name} is on one side only`);
    }
    const expectations = notes.rows.get(`${database}.${table.name}`) ?? new Map<string, never>();
    judgeRows(`${database}.${name}`, old, fresh, expectations, findings);
  }
  return tables.size;
}
