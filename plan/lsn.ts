/**
 * A WAL position as PostgreSQL prints it, `X/Y` in hexadecimal.
 * @see https://www.postgresql.org/docs/current/datatype-pg-lsn.html
 */
export type Lsn = string;

const LSN = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/;

/** The byte position that an LSN stands for. @throws RangeError when the text is no LSN */
export function lsnToBytes(lsn: Lsn): bigint {
  const match = LSN.exec(lsn);
  if (!match) throw new RangeError(`not an LSN: "${lsn}" (expected hexadecimal X/Y, for example 0/16B3748)`);
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
}

/** The LSN of a byte position, in PostgreSQL's spelling. */
export function bytesToLsn(position: bigint): Lsn {
  const hex = (value: bigint) => value.toString(16).toUpperCase();
  return `${hex(position >> 32n)}/${hex(position & 0xffffffffn)}`;
}

/** Negative, zero or positive, for `Array.sort`. */
export function compareLsn(a: Lsn, b: Lsn): number {
  const difference = lsnToBytes(a) - lsnToBytes(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** How many bytes `later` lies behind `earlier`; negative when it lies before. */
export const lsnDistanceBytes = (later: Lsn, earlier: Lsn): number => Number(lsnToBytes(later) - lsnToBytes(earlier));

/** How the pages of a server's WAL are laid out: `SHOW wal_block_size` and `SHOW wal_segment_size`, in bytes. */
export interface WalLayout {
  readonly blockBytes: number;
  /** 16 MB by default, 64 MB on RDS. */
  readonly segmentBytes: number;
}

/** `SizeOfXLogShortPHD` and `SizeOfXLogLongPHD` of access/xlog_internal.h: the headers of a page, and of the first page of a segment. */
const PAGE_HEADER_BYTES = 24n;
const SEGMENT_HEADER_BYTES = 40n;

/**
 * One spelling for a place in WAL. Where a record ends with its page, its end is the start of the next page, and the record
 * that follows begins after the header of that page: the same place, named by two LSNs. Here it is always the second.
 * @see `XLogReadRecord` in access/transam/xlogreader.c, which moves on over the header in the same way
 */
export function afterPageHeader(lsn: Lsn, { blockBytes, segmentBytes }: WalLayout): Lsn {
  const bytes = lsnToBytes(lsn);
  const page = bytes - (bytes % BigInt(blockBytes));
  const first = page + (page % BigInt(segmentBytes) === 0n ? SEGMENT_HEADER_BYTES : PAGE_HEADER_BYTES);
  return bytesToLsn(bytes < first ? first : bytes);
}
