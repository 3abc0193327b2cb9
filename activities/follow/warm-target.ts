import { Context } from '@temporalio/activity';
import { DatabaseError } from 'pg';
import { fenceSchema } from '../../plan/names';
import { isSqlState } from '../classify-error';
import type { Dependencies } from '../dependencies';
import { reportProgress } from '../heartbeat';
import { type Access, accessTo, escapeIdentifier, openSession, queryRows, type Session } from '../postgres/session';
import { SQLSTATE } from '../postgres/sqlstates';
import { throwIfCancelled } from '../wait';
import type { LagInput } from './read-lag';

const STATEMENT_TIMEOUT_MS = 6 * 3_600_000;
/** A cold block is a round trip to the snapshot store: sessions wait for it far more than they work. */
const SESSIONS = 4;
/** 128 MiB: what is lost with a worker, and how often the progress moves. */
const CHUNK_BLOCKS = 16_384;

export interface Warmed {
  readonly relations: number;
  readonly blocks: number;
  /** Why blocks were not read; absent: they were, all of them. */
  readonly notRead?: string;
}

/** FirstNormalObjectId (`src/include/access/transam.h`): below it are the catalogs' own TOAST tables, which the server reads by itself. */
const FIRST_OF_USERS = 16_384;

/** How far it has come: what is before this place, in the order of oids, is read. In every heartbeat. */
interface WarmedUpTo {
  readonly databases: readonly string[];
  readonly oid: number;
  readonly block: number;
  readonly relations: number;
  readonly blocks: number;
  readonly refused: number;
}

/**
 * Reads every block of the target once, tables, TOAST and indexes, in several sessions, since a restored volume loads lazily
 * and the first reader of a block would wait for the snapshot store; then gathers statistics. `pg_prewarm` in mode `read`
 * fills the volume without evicting what is cached. Where the extension isn't available, the comparison before the cutover
 * reads the tables. An attempt goes on at the chunk at which the one before it died.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RestoreFromSnapshot.html
 */
export async function warmTarget(deps: Dependencies, input: LagInput): Promise<Warmed> {
  const access = await accessTo(deps, input, 'target');
  const before = (Context.current().info.heartbeatDetails as { resume?: WarmedUpTo } | undefined)?.resume;
  const warming = new Warming(before);
  reportProgress(() => warming.details());
  for (const database of input.databases) {
    if (warming.databases.includes(database)) continue;
    await warmDatabase(access, database, fenceSchema(input.id), warming);
    warming.databaseDone(database);
  }
  const { relations, blocks, notRead } = warming;
  return { relations, blocks, ...(notRead === undefined ? {} : { notRead }) };
}

interface Relation {
  readonly oid: number;
  readonly name: string;
  readonly blocks: number;
}

/** Some blocks of a relation. */
interface Chunk {
  readonly relation: Relation;
  readonly from: number;
  readonly to: number;
}

async function warmDatabase(access: Access, database: string, ours: string, warming: Warming): Promise<void> {
  const open = () => openSession(access, { step: 'warm-up', database, statementTimeoutMs: STATEMENT_TIMEOUT_MS });
  const sessions: Session[] = [];
  try {
    const first = await open();
    sessions.push(first);
    const prewarm = await installPrewarm(first, ours);
    if (prewarm) {
      const chunks = warming.left(database, await relationsOf(first));
      while (sessions.length < Math.min(SESSIONS, chunks.length)) sessions.push(await open());
      await readChunks(sessions, prewarm, chunks, warming);
      if (prewarm === ours) await first.query('DROP EXTENSION IF EXISTS pg_prewarm');
    } else {
      warming.unavailable = true;
    }
    await analyze(first, (table) => (warming.doing = `statistics of ${database}${table && `, ${table}`}`));
  } finally {
    await Promise.allSettled(sessions.map((session) => session.end()));
  }
}

/**
 * Gathers statistics of every table. The server says of each that it begins with it, but not in which one it failed: an expression of an index that
 * calls a function, for example.
 */
async function analyze(session: Session, doing: (table: string) => void): Promise<void> {
  let table: string | undefined;
  const hear = ({ message }: { readonly message: string | undefined }) => {
    const begun = /^analyzing "(.*)"(?: inheritance tree)?$/.exec(message ?? '')?.[1];
    if (begun !== undefined) doing((table = begun));
  };
  doing('');
  session.on('notice', hear);
  try {
    await session.query('ANALYZE (VERBOSE)');
  } catch (error) {
    if (error instanceof DatabaseError && table !== undefined) error.table ??= table;
    throw error;
  } finally {
    session.off('notice', hear);
  }
}

async function readChunks(
  sessions: readonly Session[],
  schema: string,
  chunks: readonly Chunk[],
  warming: Warming,
): Promise<void> {
  const queue = [...chunks];
  let failed = false;
  const outcomes = await Promise.allSettled(
    sessions.map(async (session) => {
      for (;;) {
        await throwIfCancelled();
        const chunk = failed ? undefined : queue.shift();
        if (!chunk) return;
        try {
          warming.done(chunk, await readChunk(session, schema, chunk));
        } catch (error) {
          failed = true;
          throw error;
        }
      }
    }),
  );
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

/** False: the server does not let us, or the relation is gone or shorter by now. */
async function readChunk(session: Session, schema: string, { relation, from, to }: Chunk): Promise<boolean> {
  try {
    await session.query(
      `SELECT ${escapeIdentifier(schema)}.pg_prewarm($1::oid::regclass, 'read', 'main', $2,
         least($3::int8, pg_relation_size($1::oid::regclass) / current_setting('block_size')::int8 - 1))`,
      [relation.oid, from, to - 1],
    );
    return true;
  } catch (error) {
    if (isSqlState(error, SQLSTATE.insufficientPrivilege, SQLSTATE.undefinedTable, ...GONE_OR_SHORTER)) return false;
    throw error;
  }
}

/** invalid_parameter_value (the relation was truncated), internal_error (its oid is gone), lock_not_available (it is being rewritten) */
const GONE_OR_SHORTER = ['22023', 'XX000', SQLSTATE.lockNotAvailable];

function relationsOf(session: Session): Promise<Relation[]> {
  return queryRows<Relation>(
    session,
    `SELECT c.oid::int8::float8 AS oid, c.oid::regclass::text AS name,
            (pg_relation_size(c.oid) / current_setting('block_size')::int8)::float8 AS blocks
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'i', 't', 'm') AND c.relpersistence = 'p' AND pg_relation_size(c.oid) > 0
        AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND c.oid >= ${FIRST_OF_USERS} ORDER BY c.oid::int8`,
  );
}

/** Schema of the extension; undefined where the server doesn't have it. In our schema: it is ours, and goes at the end. */
async function installPrewarm(session: Session, ours: string): Promise<string | undefined> {
  const find = async () => {
    const [found] = await queryRows<{ name: string }>(
      session,
      `SELECT n.nspname AS name FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_prewarm'`,
    );
    return found?.name;
  };
  const installed = await find();
  if (installed !== undefined) return installed;
  const available = await queryRows(session, `SELECT 1 FROM pg_available_extensions WHERE name = 'pg_prewarm'`);
  if (available.length === 0) return undefined;
  await session.query(`CREATE EXTENSION pg_prewarm WITH SCHEMA ${escapeIdentifier(ours)}`);
  return find();
}

/** Counts, and the place at which another process goes on. */
class Warming {
  readonly databases: string[];
  relations: number;
  blocks: number;
  doing = '';
  unavailable = false;
  #refused: number;
  #of = 0;
  #chunks: readonly Chunk[] = [];
  readonly #done = new Set<Chunk>();
  #from: { oid: number; block: number };

  constructor(before: WarmedUpTo | undefined) {
    this.databases = [...(before?.databases ?? [])];
    this.relations = before?.relations ?? 0;
    this.blocks = before?.blocks ?? 0;
    this.#refused = before?.refused ?? 0;
    this.#from = { oid: before?.oid ?? 0, block: before?.block ?? 0 };
  }

  get notRead(): string | undefined {
    if (this.unavailable) return 'pg_prewarm is not available: tables are read by the comparison, indexes are not';
    return this.#refused > 0 ? `${this.#refused} chunks could not be read: gone, locked, or no privilege` : undefined;
  }

  /** What is left to read of a database. */
  left(database: string, relations: readonly Relation[]): readonly Chunk[] {
    const { oid, block } = this.#from;
    this.#of = this.blocks;
    this.#chunks = relations.flatMap((relation) => {
      const chunks: Chunk[] = [];
      const begin = relation.oid === oid ? block : 0;
      for (let from = begin; relation.oid >= oid && from < relation.blocks; from += CHUNK_BLOCKS) {
        chunks.push({ relation, from, to: Math.min(from + CHUNK_BLOCKS, relation.blocks) });
        this.#of += Math.min(CHUNK_BLOCKS, relation.blocks - from);
      }
      return chunks;
    });
    this.#done.clear();
    this.doing = database;
    return this.#chunks;
  }

  done(chunk: Chunk, wasRead: boolean): void {
    this.#done.add(chunk);
    if (wasRead) this.blocks += chunk.to - chunk.from;
    else this.#refused += 1;
    if (chunk.to === chunk.relation.blocks) this.relations += 1;
  }

  databaseDone(database: string): void {
    this.databases.push(database);
    this.#from = { oid: 0, block: 0 };
    this.#chunks = [];
  }

  details(): { waitingFor: string; resume: WarmedUpTo } {
    const next = this.#chunks.find((chunk) => !this.#done.has(chunk));
    const last = this.#chunks.at(-1);
    const place = next
      ? { oid: next.relation.oid, block: next.from }
      : last && { oid: last.relation.oid, block: last.to };
    return {
      waitingFor: `${this.doing}: ${this.blocks} of ${Math.max(this.#of, this.blocks)} blocks`,
      resume: {
        databases: this.databases,
        ...(place ?? this.#from),
        relations: this.relations,
        blocks: this.blocks,
        refused: this.#refused,
      },
    };
  }
}
