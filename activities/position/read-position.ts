import { finalFailure } from '../../plan/failures';
import type { Position, PositionEvidence, PositionSilence, SlotFacts } from '../../plan/position';
import { isDenied } from '../classify-error';
import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { findSlot } from '../postgres/create-slots';
import { type Access, accessTo, withSession } from '../postgres/session';
import { encryptedSnapshotName } from '../rds/copy-snapshot';
import { findSnapshot } from '../rds/find-snapshot';
import { adviceFor } from './advice';
import { fromRecoveryLog } from './from-recovery-log';
import { provePosition } from './prove-position';

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
  const first = input.slots[0];
  if (!first) throw new Error('no slots');
  await checkSlots(sourceAccess, input.slots);
  const options = { step: 'position', statementTimeoutMs: STATEMENT_TIMEOUT_MS };
  const { decision, evidence, silent, limits } = await withSession(
    targetAccess,
    { ...options, database: first.database },
    (target) =>
      provePosition({
        id: input.id,
        slots: input.slots,
        target,
        onSource: (database, work) => withSession(sourceAccess, { ...options, database }, work),
        recoveryLog: (notBefore) => recoveryLogOf(deps, input, notBefore),
      }),
  );
  if ('lsn' in decision) return { lsn: decision.lsn, evidence, silent };
  const values = [
    ...evidence.map((one) => `${one.kind}: ${one.found}`),
    ...silent.map((one) => `${one.kind}: silent, ${one.why}`),
  ];
  throw finalFailure(
    'PositionDisputed',
    [
      `The position at which ${input.plan.target.instance} ends is not proven: ${decision.disputed}. Found:`,
      ...values.map((value) => `  ${value}`),
      'Nothing was subscribed. What you can do:',
      ...adviceFor(evidence, silent).map((advice) => `  - ${advice}`),
      'See docs/failures.md, PositionDisputed.',
    ].join('\n'),
    { evidence, silent, limits },
  );
}

/**
 * The copy of the snapshot was begun after the image was taken, and before the target was restored from it. A worker that may not read the logs has the
 * other kinds of evidence.
 */
async function recoveryLogOf(
  deps: Dependencies,
  input: ReadPositionInput,
  notBefore: string,
): Promise<PositionEvidence | PositionSilence> {
  const aws = awsOf(deps, input);
  try {
    const copy = await findSnapshot(aws, encryptedSnapshotName(input.id));
    const restore = { imageBefore: copy?.SnapshotCreateTime, notBefore };
    return await fromRecoveryLog(aws, input.plan.target.instance, restore);
  } catch (error) {
    if (!isDenied(error)) throw error;
    return { kind: 'recovery-log', why: `the worker may not read it: ${error.message}` };
  }
}

/** Every slot must still hold the WAL from its consistent point on. */
async function checkSlots(access: Access, slots: readonly SlotFacts[]): Promise<void> {
  await withSession(access, { step: 'position', database: 'postgres', readOnly: true }, async (session) => {
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
  });
}
