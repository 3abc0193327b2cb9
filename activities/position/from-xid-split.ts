import { bytesToLsn, compareLsn, lsnToBytes, type Lsn } from '../../plan/lsn';
import type { PositionEvidence, PositionSilence } from '../../plan/position';
import { queryOne, queryRows, type Session } from '../postgres/session';

/** Decoding more WAL than this for a second opinion would cost the source more than the opinion is worth. */
const MAX_DECODED_BYTES = 512 * 1024 * 1024;
/** How far beyond the suspected end we look, so that the first transaction that the clone lacks is seen as well. */
const LOOK_BEYOND_BYTES = 16n * 1024n * 1024n;

/** A transaction as the source's slot decodes it. */
export interface DecodedTransaction {
  /** 32-bit transaction id. */
  readonly xid: number;
  /** Start of its commit record. */
  readonly commitLsn: Lsn;
}

/** Bounds of the position, as `PositionEvidence` has them. */
export interface Split {
  readonly after?: Lsn;
  readonly upTo?: Lsn;
}

/**
 * The LSNs between which the clone ends, by the transactions themselves: those that the clone's commit log knows as
 * committed were replayed, the others were not. Undefined when the picture is not one clean split (the clone has used
 * transaction ids of its own since).
 */
export function splitByCommitLog(
  decoded: readonly DecodedTransaction[],
  isCommittedOnClone: (xid: number) => boolean,
): Split | undefined {
  const inOrder = inOrderOfCommits(decoded);
  const firstMissing = inOrder.findIndex(({ xid }) => !isCommittedOnClone(xid));
  const replayed = firstMissing === -1 ? inOrder : inOrder.slice(0, firstMissing);
  const missing = firstMissing === -1 ? [] : inOrder.slice(firstMissing);
  if (missing.some(({ xid }) => isCommittedOnClone(xid))) return undefined;
  const after = replayed.at(-1)?.commitLsn;
  const upTo = missing[0]?.commitLsn;
  return { ...(after ? { after } : {}), ...(upTo ? { upTo } : {}) };
}

/**
 * What is certain where nobody knows which transactions are the clone's own. An id that is not committed there was not
 * replayed: the upper bound. An id that is may be one of the clone's own, unless it is not later than one that the clone
 * certainly has from the source: the clone's own ids come after all that it replayed.
 */
export function certainSplit(
  decoded: readonly DecodedTransaction[],
  isCommittedOnClone: (xid: number) => boolean,
  newestReplayed: number | undefined,
): Split {
  const inOrder = inOrderOfCommits(decoded);
  const upTo = inOrder.find(({ xid }) => !isCommittedOnClone(xid))?.commitLsn;
  const after = inOrder.findLast(
    ({ xid }) => newestReplayed !== undefined && !isBefore(newestReplayed, xid) && isCommittedOnClone(xid),
  )?.commitLsn;
  return { ...(after ? { after } : {}), ...(upTo ? { upTo } : {}) };
}

function inOrderOfCommits(decoded: readonly DecodedTransaction[]): DecodedTransaction[] {
  return [...decoded].sort((a, b) => compareLsn(a.commitLsn, b.commitLsn));
}

/** What the others say, so far as the split needs it. */
export interface Known {
  /** The LSNs that other kinds name, in order; at least one. */
  readonly named: readonly Lsn[];
  /**
   * The first transaction id that the clone issued itself, by `walinspect`: its own transactions tell nothing of the source's.
   * Where it is not known, only what is certain is said.
   */
  readonly firstOwnXid: number | undefined;
  /** The newest transaction of the source that the clone certainly has. */
  readonly newestReplayed: number | undefined;
}

/**
 * Peeks (which moves nothing) at what our own slot on the source would send, and asks the clone's commit log for each
 * transaction. Independent of every log and of RDS: it uses only the two databases.
 * @see https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html (Begin: LSN, time, xid)
 */
export async function fromXidSplit(
  source: Session,
  target: Session,
  where: { readonly slot: string; readonly publication: string } & Known,
): Promise<PositionEvidence | PositionSilence> {
  const kind = 'xid-split';
  const [lowest, highest] = [where.named[0], where.named.at(-1)];
  if (lowest === undefined || highest === undefined) return { kind, why: 'nothing says where to look' };
  const { distance, flushed } = await queryOne<{ distance: string; flushed: string }>(
    source,
    `SELECT pg_wal_lsn_diff($2::pg_lsn, restart_lsn)::text AS distance, pg_current_wal_flush_lsn()::text AS flushed
       FROM pg_replication_slots WHERE slot_name = $1`,
    [where.slot, highest],
  );
  if (Number(distance) > MAX_DECODED_BYTES) return { kind, why: `${distance} bytes of WAL would have to be decoded` };
  const beyond = bytesToLsn(lsnToBytes(highest) + LOOK_BEYOND_BYTES);
  const decoded = await decode(source, where, compareLsn(beyond, flushed) < 0 ? beyond : flushed);
  if (decoded.length === 0) return { kind, why: 'no transaction was committed between the slot and the snapshot' };
  const committed = await committedOn(
    target,
    decoded.map(({ xid }) => xid),
  );
  const split = splitOf(decoded, committed, where);
  if (!split) return { kind, why: 'transactions of the clone itself blur the split' };
  const commitBetween = inOrderOfCommits(decoded).find(
    ({ commitLsn }) => compareLsn(commitLsn, lowest) >= 0 && compareLsn(commitLsn, highest) < 0,
  )?.commitLsn;
  return {
    kind,
    ...split,
    ...(commitBetween ? { commitBetween } : {}),
    found: `${decoded.length} transactions decoded, ${committed.size} of them committed on the clone${where.firstOwnXid === undefined ? ', where some may be its own' : ''}`,
  };
}

function splitOf(
  decoded: readonly DecodedTransaction[],
  committed: ReadonlySet<number>,
  { firstOwnXid, newestReplayed }: Known,
): (Split & { readonly standsAlone: boolean }) | undefined {
  const isCommitted = (xid: number): boolean => committed.has(xid);
  if (firstOwnXid === undefined) return { ...certainSplit(decoded, isCommitted, newestReplayed), standsAlone: true };
  const split = splitByCommitLog(decoded, (xid) => isCommitted(xid) && isBefore(xid, firstOwnXid));
  if (!split) return undefined;
  const unfiltered = splitByCommitLog(decoded, isCommitted);
  return { ...split, standsAlone: unfiltered?.after === split.after && unfiltered?.upTo === split.upTo };
}

/** The transactions that a slot would send, from its beginning up to an LSN; the slot stays where it is. */
async function decode(
  source: Session,
  { slot, publication }: { readonly slot: string; readonly publication: string },
  upTo: Lsn,
): Promise<DecodedTransaction[]> {
  const rows = await queryRows<{ xid: string; lsn: string }>(
    source,
    `SELECT ('x' || encode(substr(data, 18, 4), 'hex'))::bit(32)::bigint::text AS xid,
            ('0/0'::pg_lsn + ('x' || encode(substr(data, 2, 8), 'hex'))::bit(64)::bigint::numeric)::text AS lsn
       FROM pg_logical_slot_peek_binary_changes($1, $2::pg_lsn, NULL, 'proto_version', '1', 'publication_names', $3)
      WHERE get_byte(data, 0) = ascii('B')`,
    [slot, upTo, publication],
  );
  return rows.map(({ xid, lsn }) => ({ xid: Number(xid), commitLsn: lsn }));
}

/** Order of 32-bit transaction ids, which wrap around. */
const isBefore = (xid: number, other: number): boolean => xid !== other && (other - xid) >>> 0 < 0x8000_0000;

async function committedOn(target: Session, xids: readonly number[]): Promise<Set<number>> {
  // The id that is nearest to the clone's next one, in this epoch or the one before. One that the clone has not reached yet
  // makes pg_xact_status fail, so it is left out.
  const rows = await queryRows<{ xid: string }>(
    target,
    `WITH now AS (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::numeric AS next),
          asked AS (SELECT x::numeric AS low, next - mod(next - x::numeric + 4294967296, 4294967296) AS xid, next
                      FROM now, unnest($1::text[]) AS x)
     SELECT low::text AS xid FROM asked
      WHERE CASE WHEN xid < next AND next - xid < 2147483648 AND xid > 0
                 THEN pg_xact_status(xid::text::xid8) = 'committed' ELSE false END`,
    [xids.map(String)],
  );
  return new Set(rows.map(({ xid }) => Number(xid)));
}

/**
 * The newest transaction of the source whose row the clone has in our table there. The rows are of the source: nobody writes
 * to the clone before it subscribes. Undefined where there is none.
 */
export async function newestReplayed(target: Session, fenceTable: string): Promise<number | undefined> {
  const { exists } = await queryOne<{ exists: boolean }>(target, 'SELECT to_regclass($1) IS NOT NULL AS exists', [
    fenceTable,
  ]);
  if (!exists) return undefined;
  const rows = await queryRows<{ xid: string }>(target, `SELECT xmin::text AS xid FROM ${fenceTable}`);
  return rows
    .map(({ xid }) => Number(xid))
    .reduce<number | undefined>(
      (newest, xid) => (newest === undefined || isBefore(newest, xid) ? xid : newest),
      undefined,
    );
}
