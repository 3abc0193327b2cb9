import { decidePosition, type PositionDecision, type PositionLimits } from '../../plan/decide-position';
import { afterPageHeader, bytesToLsn, compareLsn, type Lsn, lsnToBytes, type WalLayout } from '../../plan/lsn';
import { fenceSchema, publicationName } from '../../plan/names';
import type { PositionEvidence, PositionSilence, SlotFacts } from '../../plan/position';
import { fenceTable } from '../postgres/fence-table';
import { queryOne, type Session } from '../postgres/session';
import { fromSeedFunction } from './from-seed-function';
import { fromWalinspect } from './from-walinspect';
import { fromXidSplit, type Known, newestReplayed } from './from-xid-split';

/** A clone, its source, and how they are asked. */
export interface CloneToProve {
  /** Id of the migration. */
  readonly id: string;
  /** Of our slots on the source, one of each database. */
  readonly slots: readonly SlotFacts[];
  /** A session on the clone, in the database of the first slot. */
  readonly target: Session;
  /** Runs work in a session on the source. */
  readonly onSource: <T>(database: string, work: (source: Session) => Promise<T>) => Promise<T>;
  /** What the clone's server log says, for slots that begin there. */
  readonly recoveryLog: (notBefore: Lsn) => Promise<PositionEvidence | PositionSilence>;
}

export interface PositionProof {
  readonly decision: PositionDecision;
  readonly evidence: readonly PositionEvidence[];
  readonly silent: readonly PositionSilence[];
  readonly limits: PositionLimits;
}

/** Asks every source of evidence that is there for the LSN at which the clone ends, and decides. Changes nothing. */
export async function provePosition(clone: CloneToProve): Promise<PositionProof> {
  const [first] = clone.slots;
  if (!first) throw new Error('no slots');
  const limits = await clone.onSource(first.database, async (source) => ({
    notBefore: latestConsistentPoint(clone.slots),
    ...(await readLimits(source)),
  }));
  const found = await gather(clone, first, limits);
  const evidence = found.filter((one): one is PositionEvidence => 'found' in one);
  const silent = found.filter((one): one is PositionSilence => 'why' in one);
  return { decision: decidePosition(evidence, limits), evidence, silent, limits };
}

function latestConsistentPoint(slots: readonly SlotFacts[]): Lsn {
  return (
    slots
      .map(({ consistentPoint }) => consistentPoint)
      .sort(compareLsn)
      .at(-1) ?? '0/0'
  );
}

async function readLimits(source: Session): Promise<{ notAfter: Lsn; wal: WalLayout }> {
  const { flushed, block, segment } = await queryOne<{ flushed: Lsn; block: number; segment: string }>(
    source,
    `SELECT pg_current_wal_flush_lsn()::text AS flushed, current_setting('wal_block_size')::int AS block,
            pg_size_bytes(current_setting('wal_segment_size'))::text AS segment`,
  );
  return { notAfter: flushed, wal: { blockBytes: block, segmentBytes: Number(segment) } };
}

async function gather(
  clone: CloneToProve,
  first: SlotFacts,
  { notBefore, wal }: PositionLimits,
): Promise<(PositionEvidence | PositionSilence)[]> {
  const { target, onSource, id } = clone;
  const found = [
    await asked('recovery-log', () => clone.recoveryLog(notBefore)),
    await asked('seed-function', () => fromSeedFunction(target)),
  ];
  const where = { schema: fenceSchema(id), notBefore, suspected: namedBy(found, wal).at(-1), layout: wal };
  const walinspect = await asked('walinspect', () =>
    onSource(first.database, (source) => fromWalinspect(source, target, where)),
  );
  found.push(walinspect);
  const known: Known = {
    named: namedBy(found, wal),
    firstOwnXid: 'found' in walinspect ? walinspect.firstOwnXid : undefined,
    newestReplayed: await newestReplayed(target, fenceTable(id)),
  };
  if (known.named.length === 0) return [...found, { kind: 'xid-split', why: 'nothing says where to look' }];
  for (const { database, slot } of clone.slots) {
    found.push(
      await asked('xid-split', () =>
        onSource(database, (source) =>
          fromXidSplit(source, target, { slot, publication: publicationName(id), ...known }),
        ),
      ),
    );
  }
  return found;
}

/** The LSNs at which the sources say that the clone ends, in order. */
function namedBy(found: readonly (PositionEvidence | PositionSilence)[], wal: WalLayout): Lsn[] {
  return found
    .filter((one): one is PositionEvidence => 'found' in one)
    .flatMap(({ exactly, upTo, lastRecord }) => [
      ...(exactly ? [exactly] : []),
      ...(upTo ? [upTo] : []),
      ...(lastRecord ? [bytesToLsn(lsnToBytes(lastRecord) + 1n)] : []),
    ])
    .map((lsn) => afterPageHeader(lsn, wal))
    .sort(compareLsn);
}

/** A source that can't be asked is silent, with the reason; it is never a reason to fail by itself. */
async function asked(
  kind: PositionSilence['kind'],
  ask: () => Promise<PositionEvidence | PositionSilence>,
): Promise<PositionEvidence | PositionSilence> {
  try {
    return await ask();
  } catch (error) {
    return { kind, why: error instanceof Error ? error.message : String(error) };
  }
}
