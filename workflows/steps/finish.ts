import type { SourceFacts } from '../../plan/checks';
import { endedReport } from '../../plan/ended-report';
import { costLine } from '../../plan/daily-cost';
import { stoppedText } from '../../plan/progress';
import { presentName } from '../../plan/instance-names';
import {
  type CutoverFacts,
  equalRowsText,
  logGroupText,
  notProvenLines,
  type Proof,
  type Remains,
  type Report,
  unreadBytes,
} from '../../plan/report';
import type { Activities } from '../../activities';
import { act } from '../act';
import type { Guard } from '../guard';
import type { Migration } from '../migration';
import type { PreparedParameters } from './prepare';

/** So many tables are named at the gate. */
const SHOWN_UNPROVEN = 10;

/** What the approver should know of a proof that could not be exact. */
function proofFindings(proof: Report['proof']): string[] {
  if (!proof) return [];
  const found = [`${proof.rows} rows of ${proof.tables} tables compared as of the cutover, by ${proof.method}`];
  if (proof.method === 'row-versions') {
    found.push(
      `${proof.changedSince} rows were written and ${proof.goneSince} are gone on the target since the cutover: a row that was deleted can't be told from one that never came. Look at these before you approve`,
    );
    if (proof.sourceChangedSince) {
      found.push(
        `the way back had written ${proof.sourceChangedSince} rows of the source before it was read: a row that it deleted there is in no count`,
      );
    }
  }
  const equal = equalRowsText(proof);
  if (equal !== undefined) found.push(equal);
  const unproven = notProvenLines(proof);
  found.push(...unproven.slice(0, SHOWN_UNPROVEN).map((line) => `NOT PROVEN: ${line}`));
  const more = (proof.notProvenTables ?? 0) - SHOWN_UNPROVEN;
  return more > 0 ? [...found, `NOT PROVEN: ${more} more; keyshift report names them`] : found;
}

/** What goes with the source, and what an approval permits. */
function removalFindings(removal: Report['removal'], keepLogGroups: boolean): string[] {
  if (!removal) return [];
  const sessions = (count: number) => (count === 0 ? 'nobody is connected to it' : `STILL ${count} SESSIONS ON IT`);
  return [
    ...(removal.deletionProtection
      ? ['the source is protected against deletion: your approval switches that off, then deletes it']
      : []),
    ...removal.replicas.map(
      ({ instance, replacedBy, protected: isProtected, sessions: count }) =>
        `read replica ${instance} is deleted${isProtected ? ', though protected against deletion' : ''}; ${replacedBy} stands for it; ${sessions(count)}`,
    ),
    ...removal.left.map((one) => `read replica stays, and stands alone from then on: ${one}`),
    ...(removal.logGroups ?? []).map((group) =>
      keepLogGroups || group.protected
        ? `log group ${group.name} stays (${logGroupText(group)})`
        : `log group ${group.name} is deleted, with all that was logged`,
    ),
    ...(removal.logGroupsUnknown === undefined
      ? []
      : [`log groups of the source, which RDS leaves behind, could not be looked at: ${removal.logGroupsUnknown}`]),
  ];
}

/** Old slots that go with the source; an approver knows whether their readers have come to the end of them since. */
const slotFindings = (moved: Report['slotsMoved'] = []): string[] =>
  moved.map((one) =>
    unreadBytes(one) === 0
      ? `replication slot ${one.slot} of the source goes with it; its reader had read all of it`
      : `replication slot ${one.slot} of the source goes with it: approve when its reader has read it up to ${one.fenceLsn} (at the switch: ${one.oldConfirmed})`,
  );

/** Removes everything that was only for the migration, the source last. */
export async function finish(
  migration: Migration,
  source: SourceFacts,
  parameters: PreparedParameters,
  { fencedRoles }: CutoverFacts,
  guardBack: Guard,
): Promise<void> {
  const { ref, plan, report } = migration;
  const input = { ...ref, databases: source.databases };
  const sourceName = presentName(ref, 'source');
  let approved = false;
  let left: Awaited<ReturnType<Activities['deleteSource']>> = {};

  await migration.step('decommission', async (note) => {
    // A retry after a failure is no new decision.
    if (!approved) await approval(migration);
    approved = true;
    migration.closeWayBack();
    await guardBack.stop();
    await migration.lastLock.open();
    if (!plan.keep.source) await act('checkSourceUnused', { ...ref, fencedRoles });
    await act('removeReplication', { ...input, serving: 'target' });
    // Behind the publications: a table that is published without a replica identity refuses UPDATE and DELETE.
    if (plan.replicaIdentity === 'set') {
      if (plan.keep.source) await act('restoreReplicaIdentities', { ...input, side: 'source' });
      await act('restoreReplicaIdentities', { ...input, side: 'target' });
    }
    if (!plan.keep.source) {
      left = await act('deleteSource', {
        ...ref,
        resourceId: source.resourceId,
        fencedRoles,
        kmsKeyArn: source.targetKmsKeyArn,
        unprotect: report.removal?.deletionProtection ?? false,
        replicas: report.removal?.replicas ?? [],
      });
    }
    await act('deleteSnapshots', ref);
    note(`removed: replication, ${plan.keep.source ? '' : `${sourceName}, `}intermediate snapshots`);
  });

  await migration.step('evidence', async (note) => {
    // A retry finds what the attempt before it has listed.
    const stays = (one: Remains) => {
      if (!report.stays.some(({ what, name }) => what === one.what && name === one.name)) report.stays.push(one);
    };
    if (plan.keep.source) {
      stays({
        what: 'source',
        name: sourceName,
        why: `the plan keeps it; it is fenced${report.sourceStopped ? ', and runs' : ''}`,
      });
    }
    if (left.finalSnapshot) {
      const why = plan.keep.encryptFinalSnapshot
        ? 'the plan keeps it, encrypted; an unencrypted one is gone'
        : 'the plan keeps it';
      stays({ what: 'final snapshot', name: left.finalSnapshot, why });
    }
    if (!plan.keep.source) {
      const why = 'RDS keeps those that the source had, under its key or none, until their retention is over';
      stays({ what: 'automated backups', name: sourceName, why });
    }
    for (const group of left.logGroups ?? []) {
      const why = plan.keep.logGroups ? 'the plan keeps it' : 'it could not be deleted';
      stays({ what: 'log group', name: group.name, why: `${why}: ${logGroupText(group)}` });
    }
    if (left.logGroupsUnknown !== undefined && report.removal?.logGroupsUnknown !== undefined) {
      const why = `RDS leaves them behind; they could not be looked at: ${left.logGroupsUnknown}`;
      stays({ what: 'log groups', name: `/aws/rds/instance/${sourceName}/`, why });
    }
    // A parameter group in use can't be deleted, and leaving it takes a reboot of what is production now.
    if (parameters.group) {
      stays({
        what: 'parameter group',
        name: parameters.group,
        why: `the target uses it; to go back to ${parameters.previousGroup}: modify the target, then reboot it at a time of your choice`,
      });
    }
    for (const { slot, newPosition } of report.slotsMoved ?? []) {
      stays({ what: 'replication slot', name: slot, why: `on the target, for its reader, from ${newPosition} on` });
    }
    stays({ what: 'target', name: presentName(ref, 'target'), why: 'the new home' });
    note('keyshift report prints it; it is the result of this workflow');
    if (!plan.report) return;
    const ended = endedReport(report, 'completed', new Date().toISOString());
    for (const { address, sha256 } of await act('writeReport', { ...ref, report: ended })) {
      stays({ what: 'report', name: address, why: `the plan keeps it; sha256 ${sha256}` });
    }
  });
}

/** Whether there are rows of which the proof says nothing, or that are not identical. */
const leftOpen = ({
  goneSince = 0,
  notProvenTables = 0,
  sourceChangedSince = 0,
  equalRows = [],
}: Partial<Proof> = {}): boolean => goneSince + notProvenTables + sourceChangedSince + equalRows.length > 0;

/** A person is asked whatever the plan says when the proof left rows open. */
async function approval(migration: Migration): Promise<void> {
  const { plan, report } = migration;
  const name = presentName(migration.ref, 'source');
  const kept = plan.keep.encryptFinalSnapshot
    ? ', after a final snapshot, which is then encrypted'
    : ', after a final snapshot';
  const end = plan.keep.finalSnapshot ? kept : ' WITHOUT a final snapshot';
  await migration.gate(
    'decommission',
    [
      plan.keep.source ? `${name} stays, fenced` : `${name} is deleted${end}`,
      ...(report.removal?.costs ?? []).map((cost) => `old source ${costLine(cost)}`),
      ...(report.sourceStopped
        ? [
            `${name} is ${stoppedText(report.sourceStopped.at)}; it is started, fenced, before replication is removed from it`,
          ]
        : []),
      ...(plan.keep.source ? [] : removalFindings(report.removal, plan.keep.logGroups)),
      ...(plan.keep.source ? [] : slotFindings(report.slotsMoved)),
      ...proofFindings(report.proof),
      migration.plan.soak.wayBack === 'none'
        ? 'replication ends'
        : 'replication ends, and with it the way back: no rollback from here',
    ],
    { always: leftOpen(report.proof) },
  );
}
