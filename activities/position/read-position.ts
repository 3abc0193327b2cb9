import { decidePosition } from '../../plan/decide-position';
import { finalFailure } from '../../plan/failures';
import { compareLsn, type Lsn } from '../../plan/lsn';
import { fenceSchema, publicationName } from '../../plan/names';
import type { Position, PositionEvidence, PositionSilence, SlotFacts } from '../../plan/position';
import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { findSlot } from '../postgres/create-slots';
import { type Access, accessTo, openSession, queryOne, type Session, withSession } from '../postgres/session';
import { fromRecoveryLog } from './from-recovery-log';
import { fromSeedFunction } from './from-seed-function';
import { fromWalinspect } from './from-walinspect';
import { fromXidSplit } from './from-xid-split';

const STATEMENT_TIMEOUT_MS = 600_000;

export interface ReadPositionInput extends MigrationRef {
  readonly slots: readonly SlotFacts[];
}

/**
 * The LSN at which the clone ends: the most dangerous value of the whole migration. Every source of evidence that is
 * there is asked, and `decidePosition` has to be content with what they say.
 * @throws ApplicationFailure PositionDisputed with every value found, SlotLost when a slot can't serve the position
 */
export async function readPosition(deps: Dependencies, input: ReadPositionInput): Promise<Position> {
  const [sourceAccess, targetAccess] = [await accessTo(deps, input, 'source'), await accessTo(deps, input, 'target')];
  const notAfter = await checkSlots(sourceAccess, input.slots);
  const found = await gather(deps, input, sourceAccess, targetAccess);
  const evidence = found.filter((one): one is PositionEvidence => 'found' in one);
  const silent = found.filter((one): one is PositionSilence => 'why' in one);
  const notBefore =
    input.slots
      .map(({ consistentPoint }) => consistentPoint)
      .sort(compareLsn)
      .at(-1) ?? '0/0';
  const decision = decidePosition(evidence, { notBefore, notAfter });
  if ('lsn' in decision) return { lsn: decision.lsn, evidence, silent };
  const values = [
    ...evidence.map((one) => `${one.kind}: ${one.found}`),
    ...silent.map((one) => `${one.kind}: silent, ${one.why}`),
  ];
  throw finalFailure(
    'PositionDisputed',
    `The position at which ${input.plan.target.instance} ends is not proven: ${decision.disputed}. Found:\n  ${values.join('\n  ')}\nNothing was subscribed. See docs/failures.md, PositionDisputed.`,
    { evidence, silent, limits: { notBefore, notAfter } },
  );
}

/** Every slot must still hold the WAL from its consistent point on. Returns the end of the source's WAL. */
async function checkSlots(access: Access, slots: readonly SlotFacts[]): Promise<Lsn> {
  return withSession(access, { step: 'position', database: 'postgres', readOnly: true }, async (session) => {
    for (const { slot, consistentPoint } of slots) {
      const found = await findSlot(session, slot);
      const problem = !found
        ? 'is gone'
        : found.wal_status === 'lost'
          ? 'is lost (wal_status)'
          : found.confirmed_flush_lsn !== consistentPoint
            ? `was moved from ${consistentPoint} to ${found.confirmed_flush_lsn}`
            : undefined;
      if (problem) {
        throw finalFailure(
          'SlotLost',
          `Replication slot ${slot} on the source ${problem}: changes since the snapshot can't be had any more. Send abort and start again.`,
        );
      }
    }
    return (await queryOne<{ lsn: Lsn }>(session, 'SELECT pg_current_wal_flush_lsn()::text AS lsn')).lsn;
  });
}

async function gather(
  deps: Dependencies,
  input: ReadPositionInput,
  sourceAccess: Access,
  targetAccess: Access,
): Promise<(PositionEvidence | PositionSilence)[]> {
  const options = { step: 'position', statementTimeoutMs: STATEMENT_TIMEOUT_MS };
  const first = input.slots[0];
  if (!first) throw new Error('no slots');
  const target = await openSession(targetAccess, { ...options, database: first.database });
  try {
    const slots = input.slots.map(({ slot }) => slot);
    const walinspect = await asked('walinspect', () =>
      fromWalinspect(target, { slots, schema: fenceSchema(input.id) }),
    );
    const firstOwnXid = 'firstOwnXid' in walinspect ? (walinspect.firstOwnXid as number | undefined) : undefined;
    const found = [
      await fromRecoveryLog(awsOf(deps, input), input.plan.target.instance),
      await asked('seed-function', () => fromSeedFunction(target)),
      walinspect,
    ];
    const suspected = found
      .flatMap((one) => ('found' in one ? (one.exactly ?? one.after ?? []) : []))
      .sort(compareLsn)
      .at(-1);
    if (suspected === undefined) return [...found, { kind: 'xid-split', why: 'nothing says where to look' }];
    for (const slot of input.slots)
      found.push(await splitWith(sourceAccess, target, input, slot, { suspected, firstOwnXid }));
    return found;
  } finally {
    await target.end();
  }
}

async function splitWith(
  sourceAccess: Access,
  target: Session,
  input: ReadPositionInput,
  { database, slot }: SlotFacts,
  known: { readonly suspected: Lsn; readonly firstOwnXid: number | undefined },
): Promise<PositionEvidence | PositionSilence> {
  const options = { step: 'position', database, statementTimeoutMs: STATEMENT_TIMEOUT_MS };
  return asked('xid-split', () =>
    withSession(sourceAccess, options, (source) =>
      fromXidSplit(source, target, { slot, publication: publicationName(input.id), ...known }),
    ),
  );
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
