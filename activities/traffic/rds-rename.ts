import type { DBInstance } from '@aws-sdk/client-rds';
import { finalFailure } from '../../plan/failures';
import { RENAMING_MINUTES } from '../../plan/instance-names';
import type { TrafficSwitch } from '../../plan/plan';
import { awsOf, type MigrationRef } from '../dependencies';
import { parameterGroupOf } from '../rds/find-instance';
import { type Names, readNames } from '../rds/present-names';
import {
  giveUpName,
  isUnderWay,
  type Renaming,
  RENAMING_DECIDED_WITHIN_MS,
  renamingsOf,
  takeName,
} from '../rds/rename-instances';
import type { SwitchKind, SwitchLook, SwitchPlace } from './traffic-switch';

type Entry = Extract<TrafficSwitch, { type: 'rds-rename' }>;

/**
 * The instances change their names, and the endpoint stays: who has the name gives it up, then the other one takes it. RDS reboots both,
 * and that takes minutes, in which nobody can write. The first call decides.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RenameInstance.html
 */
export const rdsRename: SwitchKind<Entry> = {
  opaque: false,
  decidedWithinMs: RENAMING_DECIDED_WITHIN_MS,
  look,
  async prepare({ deps, ref }) {
    const names = await readNames(awsOf(deps, ref), ref);
    const [first, second] = renamingsOf(ref);
    const done = isUnderWay(ref, names);
    const red = done ? [] : redOf(ref, names);
    if (red.length > 0) throw finalFailure('TrafficRefused', `${red.join(' ')} Fix that, then send retry.`);
    return {
      what: `DB instance name ${ref.plan.source.instance}`,
      from: becomes(first),
      to: becomes(second),
      done,
      async apply(deciding = {}) {
        const { isRecorded = () => Promise.resolve() } = deciding;
        if (!done) await giveUpName(deps, ref, deciding);
        await takeName(deps, ref, isRecorded);
      },
    };
  },
};

const becomes = ({ from, to }: Renaming): string => `${from}, which becomes ${to}`;

async function look({ deps, ref, to }: SwitchPlace): Promise<SwitchLook> {
  const names = await readNames(awsOf(deps, ref), ref);
  const [first, second] = renamingsOf(ref);
  const what = `names of ${first.from} and ${second.from}`;
  if (isUnderWay(ref, names)) {
    const message = `${first.from} has another name already, or gets one: somebody renamed it. Rename it back.`;
    return { what, pointsAt: 'to', findings: [], red: [message] };
  }
  const findings = [
    `${first.from} becomes ${first.to}, then ${second.from} becomes ${second.to}: the endpoint of ${second.to} stays, the DNS names of ${second.from} and, later, of what is called ${first.to} are others; RDS reboots both`,
  ];
  return { what, pointsAt: 'from', findings, red: redOf(ref, names, to !== undefined) };
}

/** Why the instances can't be renamed now. Before there is a target, nothing is said of it. */
function redOf(ref: MigrationRef, names: Names, isThere = true): string[] {
  const [first, second] = renamingsOf(ref);
  const red: string[] = [];
  if (names.strangers.some(({ DBInstanceIdentifier }) => DBInstanceIdentifier === first.to)) {
    red.push(
      `There is a DB instance ${first.to} already, and ${first.from} is to be called so: rename that one, or name another in sourceBecomes of the switch.`,
    );
  }
  for (const { side, from } of isThere ? [first, second] : [first]) {
    const found = names[side];
    if (found?.DBInstanceIdentifier === from) red.push(...whyNotRenamed(found));
    else red.push(`There is no DB instance ${from} of this migration: it can't be renamed.`);
  }
  return red;
}

function whyNotRenamed(found: DBInstance): string[] {
  const { DBInstanceIdentifier: name, DBInstanceStatus: status, PendingModifiedValues } = found;
  const pending = Object.entries(PendingModifiedValues ?? {}).flatMap(([field, value]) =>
    value === undefined ? [] : [field],
  );
  const { applyStatus, name: group } = parameterGroupOf(found);
  return [
    ...(status === 'available' ? [] : [`DB instance ${name} is ${status}: it can be renamed when it is available.`]),
    ...(pending.length > 0
      ? [`DB instance ${name} has modifications pending (${pending.join(', ')}), which a renaming would apply, too.`]
      : []),
    ...(applyStatus === 'pending-reboot'
      ? [`Parameters of ${group} wait for a reboot of ${name}, and a renaming reboots it: reboot it before.`]
      : []),
  ];
}

/** How long the renaming takes, for the board: nothing can be measured before it is done. */
export function renamingTime(ref: MigrationRef, earlierMs?: number): string {
  const [first, second] = renamingsOf(ref);
  const guess = `up to about ${RENAMING_MINUTES} minutes: a guess, twice the ${RENAMING_MINUTES / 2} minutes after which a new name is effective, as AWS documents it`;
  const measured = earlierMs === undefined ? '' : `; the one before took ${Math.round(earlierMs / 1_000)} s`;
  return `renaming ${first.from} to ${first.to} and ${second.from} to ${second.to} takes ${guess}${measured}. Nobody can write meanwhile; it begins after the pause budget, and only goes forward. The snapshots of the pause end with the reboots: the proof goes by row versions`;
}
