import { afterPageHeader, bytesToLsn, compareLsn, type Lsn, lsnToBytes, type WalLayout } from '../../plan/lsn';
import type { PositionEvidence, PositionSilence } from '../../plan/position';
import type { Session } from '../postgres/session';
import { findFork, type Wal, type WalRecord, withWal } from './walinspect';

/** Comparing more WAL than this for a second opinion would cost the source more than the opinion is worth. */
const MAX_COMPARED_BYTES = 1024 * 1024 * 1024;
/** Where there is more, the comparison begins this far before the LSN that the other sources suspect. */
const LOOK_BACK_BYTES = 64n * 1024n * 1024n;
/** The record that a clone writes first is short, and so is the one after it. */
const LOOK_BEYOND_BYTES = 64n * 1024n;

/**
 * The WAL of the clone is the WAL of the source up to where it ends, and its own from there on. So both are read, and the
 * clone ends where they part: what both have is not the clone's own, a shutdown checkpoint that the source wrote when it
 * was restarted between slot and snapshot included. Where the WAL ended inside a record that goes on on the next page, the
 * end of the record before it is right: the clone writes OVERWRITE_CONTRECORD in place of the rest.
 *
 * Records that both wrote alike after they parted (a checkpoint, a list of running transactions) do no harm: no two commits
 * are alike, since they carry their time. So the end is an upper bound, and the last commit that both have is the lower one.
 */
export async function fromWalinspect(
  source: Session,
  target: Session,
  where: {
    readonly schema: string;
    readonly notBefore: Lsn;
    readonly suspected: Lsn | undefined;
    readonly layout: WalLayout;
  },
): Promise<PositionEvidence | PositionSilence> {
  return withWal(target, where.schema, (clone) =>
    withWal(source, where.schema, (original) => compare(original, clone, where)),
  );
}

async function compare(
  source: Wal,
  clone: Wal,
  { notBefore, suspected, layout }: { notBefore: Lsn; suspected: Lsn | undefined; layout: WalLayout },
): Promise<PositionEvidence | PositionSilence> {
  const kind = 'walinspect';
  const from = begin(notBefore, suspected ?? clone.flushed);
  // Where nobody suspects a place, only the whole way from our slots on will do.
  if (suspected === undefined && from !== notBefore) {
    return { kind, why: `more than ${MAX_COMPARED_BYTES} bytes of WAL would have to be compared` };
  }
  const fork = await findFork(source, clone, from, layout);
  if (!fork) return { kind, why: `source and clone have no WAL in common at ${from}` };
  const own = await firstRecord(clone, fork.at, layout);
  const others = await firstRecord(source, fork.at, layout);
  // The next transaction id as recovery left it: from here on ids are the clone's own.
  const nextXid = /^CHECKPOINT_/.test(own?.record_type ?? '') && /\bxid \d+:(\d+)/.exec(own?.description ?? '')?.[1];
  return {
    kind,
    upTo: fork.at,
    ...(fork.lastCommit ? { after: fork.lastCommit } : {}),
    ...(nextXid ? { firstOwnXid: Number(nextXid) } : {}),
    found: `the WAL of source and clone is the same up to ${fork.at}; there the clone goes on with ${own?.record_type ?? 'nothing'}, the source with ${others?.record_type ?? 'nothing'}`,
  };
}

/** Where the comparison begins: at our slots, or shortly before the place that others suspect where that is far away. */
function begin(notBefore: Lsn, suspected: Lsn): Lsn {
  const distance = lsnToBytes(suspected) - lsnToBytes(notBefore);
  if (distance <= BigInt(MAX_COMPARED_BYTES)) return notBefore;
  return bytesToLsn(lsnToBytes(suspected) - LOOK_BACK_BYTES);
}

/** The record at a place, or the one after an OVERWRITE_CONTRECORD. */
async function firstRecord(wal: Wal, at: Lsn, layout: WalLayout): Promise<WalRecord | undefined> {
  const from = afterPageHeader(at, layout);
  const end = bytesToLsn(lsnToBytes(from) + LOOK_BEYOND_BYTES);
  const to = compareLsn(end, wal.flushed) < 0 ? end : wal.flushed;
  if (compareLsn(from, to) >= 0) return undefined;
  const records = await wal.records(from, to, 2);
  return records.find(({ record_type }) => record_type !== 'OVERWRITE_CONTRECORD');
}
