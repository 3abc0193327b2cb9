import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What `pg_controldata` would say, as far as we need it. */
export interface ControlFile {
  /** The server was stopped cleanly: its start is no crash recovery. */
  readonly cleanlyStopped: boolean;
  /** Start of the last checkpoint record. */
  readonly checkpointLsn: string;
}

/** `DB_SHUTDOWNED` of `enum DBState`, `src/include/catalog/pg_control.h`. */
const DB_SHUTDOWNED = 1;

/**
 * Reads `global/pg_control`. The head of `ControlFileData` (system identifier 8 bytes, two versions of 4, state 4 and 4 of padding,
 * time 8, checkpoint 8, in the machine's byte order) is the same from 13 to 18.
 */
export function readControlFile(dataDir: string): ControlFile {
  const bytes = readFileSync(join(dataDir, 'global', 'pg_control'));
  return {
    cleanlyStopped: bytes.readUInt32LE(16) === DB_SHUTDOWNED,
    checkpointLsn: formatLsn(bytes.readBigUInt64LE(32)),
  };
}

/** An LSN as PostgreSQL prints it. */
export function formatLsn(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`;
}

/** The number behind an LSN as PostgreSQL prints it. */
export function parseLsn(text: string): bigint {
  const [high, low] = text.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}
