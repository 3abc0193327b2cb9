import { fenceSchema } from '../../plan/names';
import { escapeIdentifier, queryOne, queryRows, type Session } from '../postgres/session';

/** So many large objects are hashed in one statement, and so much of one is in memory at a time. */
const PAGE = 100;
const PART_BYTES = 1_048_576;
/** `INV_READ` of libpq-fs.h. */
const INV_READ = 262_144;

interface LargeObject {
  readonly loid: string;
  readonly owner: string;
  readonly size: string;
  /** Of owner, privileges and contents. */
  readonly state: string;
}

/** What the last run made equal: a table of ours on the target, so that the pause reads the source only. */
const statesTable = (migration: string): string => `${escapeIdentifier(fenceSchema(migration))}.large_objects`;

/** How many there are, and how much they take in the database, in bytes. */
export async function countLargeObjects(session: Session): Promise<{ count: number; bytes: number }> {
  return queryOne<{ count: number; bytes: number }>(
    session,
    `SELECT count(*)::int AS count, pg_table_size('pg_largeobject')::float8 AS bytes FROM pg_largeobject_metadata`,
  );
}

/**
 * Makes the large objects of the target those of the source: contents, owner, privileges; what is gone goes. Before the pause it
 * moves what changed since the snapshot and notes what it found; in the pause it hashes the source once more and moves only
 * what changed since. Each object in a transaction of its own with its note, so a killed run is gone on with.
 * @see https://www.postgresql.org/docs/current/lo-funcs.html
 */
export async function syncLargeObjects(
  source: Session,
  target: Session,
  migration: string,
  mayGoOn: () => void | Promise<void>,
): Promise<{ objects: number; moved: number; removed: number }> {
  const states = statesTable(migration);
  // Unlogged: the publication of the way back must not have it, and after a crash all objects are looked at again.
  await target.query(`CREATE UNLOGGED TABLE IF NOT EXISTS ${states} (loid oid PRIMARY KEY, state text NOT NULL)`);
  const done = { objects: 0, moved: 0, removed: 0 };
  for (let after = '0'; ;) {
    await mayGoOn();
    const page = await readPage(source, after, PAGE);
    const last = page.length < PAGE ? '4294967295' : (page.at(-1)?.loid ?? after);
    const there = await statesBetween(target, states, after, last);
    const unknown = page.filter(({ loid }) => there.has(loid) && there.get(loid) === null);
    for (const { loid, state } of await readObjects(
      target,
      unknown.map(({ loid }) => loid),
    ))
      there.set(loid, state);
    for (const object of page) {
      await mayGoOn();
      if (there.get(object.loid) === object.state) {
        if (unknown.includes(object)) await note(target, states, object);
      } else {
        await move(source, target, states, object, there.has(object.loid));
        done.moved += 1;
      }
    }
    const known = new Set(page.map(({ loid }) => loid));
    for (const loid of [...there.keys()].filter((one) => !known.has(one))) {
      await target.query('SELECT lo_unlink($1)', [loid]);
      done.removed += 1;
    }
    done.objects += page.length;
    if (page.length < PAGE) return done;
    after = last;
  }
}

/** Owner, size and a hash of everything of some large objects; contents are read part by part, inside the server. */
const OBJECTS = (which: string) => `
  WITH opened AS MATERIALIZED (
    SELECT m.oid, m.lomowner, m.lomacl, lo_lseek64(lo_open(m.oid, ${INV_READ}), 0, 2) AS size
      FROM (SELECT oid, lomowner, lomacl FROM pg_largeobject_metadata WHERE ${which}) AS m)
  SELECT oid::text AS loid, pg_get_userbyid(lomowner) AS owner, size::text AS size,
         md5(concat_ws('|', pg_get_userbyid(lomowner), size, (
           SELECT string_agg(one::text, ',' ORDER BY one::text) FROM unnest(coalesce(lomacl, acldefault('L', lomowner))) AS one), (
           SELECT string_agg(md5(lo_get(oid, part, ${PART_BYTES})), '' ORDER BY part)
             FROM generate_series(0, size - 1, ${PART_BYTES}) AS part))) AS state
    FROM opened ORDER BY opened.oid`;

const readPage = (session: Session, after: string, limit: number): Promise<LargeObject[]> =>
  queryRows<LargeObject>(session, OBJECTS('oid > $1::oid ORDER BY oid LIMIT $2'), [after, limit]);

const readObjects = (session: Session, loids: readonly string[]): Promise<LargeObject[]> =>
  loids.length === 0 ? Promise.resolve([]) : queryRows<LargeObject>(session, OBJECTS('oid = ANY ($1::oid[])'), [loids]);

/** The large objects that the target has in a range, with the state that was noted. */
async function statesBetween(
  target: Session,
  states: string,
  after: string,
  last: string,
): Promise<Map<string, string | null>> {
  const rows = await queryRows<{ loid: string; state: string | null }>(
    target,
    `SELECT m.oid::text AS loid, s.state FROM pg_largeobject_metadata m LEFT JOIN ${states} s ON s.loid = m.oid
      WHERE m.oid > $1::oid AND m.oid <= $2::oid`,
    [after, last],
  );
  return new Map(rows.map(({ loid, state }) => [loid, state]));
}

async function note(target: Session, states: string, { loid, state }: LargeObject): Promise<void> {
  await target.query(`INSERT INTO ${states} VALUES ($1, $2) ON CONFLICT (loid) DO UPDATE SET state = excluded.state`, [
    loid,
    state,
  ]);
}

async function move(
  source: Session,
  target: Session,
  states: string,
  object: LargeObject,
  isThere: boolean,
): Promise<void> {
  const { loid } = object;
  await target.query('BEGIN');
  try {
    if (isThere) await target.query('SELECT lo_unlink($1)', [loid]);
    await target.query('SELECT lo_create($1)', [loid]);
    for (let offset = 0n; offset < BigInt(object.size); offset += BigInt(PART_BYTES)) {
      const { part } = await queryOne<{ part: Buffer }>(source, 'SELECT lo_get($1, $2, $3) AS part', [
        loid,
        offset.toString(),
        PART_BYTES,
      ]);
      await target.query('SELECT lo_put($1, $2, $3)', [loid, offset.toString(), part]);
    }
    for (const statement of await ownership(source, loid)) await target.query(statement);
    await note(target, states, object);
    await target.query('COMMIT');
  } catch (error) {
    await target.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Statements that give a large object the owner and the privileges that it has on the source. */
async function ownership(source: Session, loid: string): Promise<string[]> {
  const rows = await queryRows<{ statement: string }>(
    source,
    `SELECT format('ALTER LARGE OBJECT %s OWNER TO %I', oid, pg_get_userbyid(lomowner)) AS statement
       FROM pg_largeobject_metadata WHERE oid = $1::oid
     UNION ALL
     SELECT format('REVOKE ALL ON LARGE OBJECT %s FROM %I', oid, pg_get_userbyid(lomowner))
       FROM pg_largeobject_metadata WHERE oid = $1::oid AND lomacl IS NOT NULL
     UNION ALL
     SELECT format('GRANT %s ON LARGE OBJECT %s TO %s%s', acl.privilege_type, m.oid,
                   CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END,
                   CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
       FROM pg_largeobject_metadata m, aclexplode(m.lomacl) AS acl WHERE m.oid = $1::oid`,
    [loid],
  );
  return rows.map(({ statement }) => statement);
}
