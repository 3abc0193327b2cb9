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

/**
 * The LSNs between which the clone ends, by the transactions themselves: those that the clone's commit log knows as
 * committed were replayed, the others were not. Undefined when the picture is not one clean split (the clone has used
 * transaction ids of its own since).
 */
export function splitByCommitLog(
  decoded: readonly DecodedTransaction[],
  isCommittedOnClone: (xid: number) => boolean,
): { readonly after?: Lsn; readonly upTo?: Lsn } | undefined {
  const inOrder = [...decoded].sort((a, b) => compareLsn(a.commitLsn, b.commitLsn));
  const firstMissing = inOrder.findIndex(({ xid }) => !isCommittedOnClone(xid));
  const replayed = firstMissing === -1 ? inOrder : inOrder.slice(0, firstMissing);
  const missing = firstMissing === -1 ? [] : inOrder.slice(firstMissing);
  if (missing.some(({ xid }) => isCommittedOnClone(xid))) return undefined;
  const after = replayed.at(-1)?.commitLsn;
  const upTo = missing[0]?.commitLsn;
  return { ...(after ? { after } : {}), ...(upTo ? { upTo } : {}) };
}

/**
 * Peeks (which moves nothing) at what our own slot on the source would send, and asks the clone's commit log for each
 * transaction. Independent of every log and of RDS: it uses only the two databases.
 * @see https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html (Begin: LSN, time, xid)
 */
export async function fromXidSplit(
  source: Session,
  target: Session,
  where: {
    readonly slot: string;
    readonly publication: string;
    readonly suspected: Lsn;
    /**
     * The first transaction id that the clone issued itself: its own transactions tell nothing of the source's. Where it is
     * not known, the split may be taken too far, and is tentative.
     */
    readonly firstOwnXid: number | undefined;
  },
): Promise<PositionEvidence | PositionSilence> {
  const kind = 'xid-split';
  const { distance, flushed } = await queryOne<{ distance: string; flushed: string }>(
    source,
    `SELECT pg_wal_lsn_diff($2::pg_lsn, restart_lsn)::text AS distance, pg_current_wal_flush_lsn()::text AS flushed
       FROM pg_replication_slots WHERE slot_name = $1`,
    [where.slot, where.suspected],
  );
  if (Number(distance) > MAX_DECODED_BYTES) return { kind, why: `${distance} bytes of WAL would have to be decoded` };
  const beyond = bytesToLsn(lsnToBytes(where.suspected) + LOOK_BEYOND_BYTES);
  const upTo = compareLsn(beyond, flushed) < 0 ? beyond : flushed;
  const decoded = await queryRows<{ xid: string; lsn: string }>(
    source,
    `SELECT ('x' || encode(substr(data, 18, 4), 'hex'))::bit(32)::bigint::text AS xid,
            ('0/0'::pg_lsn + ('x' || encode(substr(data, 2, 8), 'hex'))::bit(64)::bigint::numeric)::text AS lsn
       FROM pg_logical_slot_peek_binary_changes($1, $2::pg_lsn, NULL, 'proto_version', '1', 'publication_names', $3)
      WHERE get_byte(data, 0) = ascii('B')`,
    [where.slot, upTo, where.publication],
  );
  if (decoded.length === 0) return { kind, why: 'no transaction was committed between the slot and the snapshot' };
  const committed = await committedOn(
    target,
    decoded.map(({ xid }) => xid),
  );
  const split = splitByCommitLog(
    decoded.map(({ xid, lsn }) => ({ xid: Number(xid), commitLsn: lsn })),
    (xid) => committed.has(xid) && (where.firstOwnXid === undefined || isBefore(xid, where.firstOwnXid)),
  );
  if (!split) return { kind, why: 'transactions of the clone itself blur the split' };
  return {
    kind,
    ...split,
    ...(where.firstOwnXid === undefined ? { tentative: true } : {}),
    found: `${decoded.length} transactions decoded, ${committed.size} of them committed on the clone`,
  };
}

/** Order of 32-bit transaction ids, which wrap around. */
const isBefore = (xid: number, other: number): boolean => xid !== other && (other - xid) >>> 0 < 0x8000_0000;

async function committedOn(target: Session, xids: readonly string[]): Promise<Set<number>> {
  // An xid of the current epoch; one that the clone has not reached yet makes pg_xact_status fail, so it is left out.
  const rows = await queryRows<{ xid: string }>(
    target,
    `WITH now AS (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::numeric AS next),
          asked AS (SELECT x::numeric AS low, floor(next / 4294967296) * 4294967296 + x::numeric AS xid, next
                      FROM now, unnest($1::text[]) AS x)
     SELECT low::text AS xid FROM asked
      WHERE CASE WHEN xid < next THEN pg_xact_status(xid::text::xid8) = 'committed' ELSE false END`,
    [xids],
  );
  return new Set(rows.map(({ xid }) => Number(xid)));
}
