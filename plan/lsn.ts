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
