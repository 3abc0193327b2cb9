import type { DBInstance } from '@aws-sdk/client-rds';
import { renames } from '../../plan/instance-names';
import { subscriptionName } from '../../plan/names';
import { awsOf, type Dependencies } from '../dependencies';
import { accessTo, queryRows, withSession } from '../postgres/session';
import { findInstance } from '../rds/find-instance';
import { isOurTarget, isTheSource } from '../rds/ownership';
import { readNames } from '../rds/present-names';
import { isUnderWay } from '../rds/rename-instances';
import { isOpaque } from '../traffic/prepared-switches';
import type { Evidence } from './evidence';
import { patiently, type Seen } from './patiently';
import { readRecords, type Records, type RecordsRef, STEP } from './records';
import { type Users, usersOf, usersText } from './sessions';
import { seeSwitches, type SwitchesSeen } from './switches';

/** What one look at both sides gave. */
interface World {
  readonly source: Seen<Records & { readonly receives: boolean }>;
  readonly target: Seen<Records & { readonly users: readonly Users[] }>;
  readonly switches: SwitchesSeen;
}

export interface TargetQuestion extends RecordsRef {
  /**
   * Whoever asks takes the fence of a pause down first, and that looks by itself whether traffic is switched: the mark of a pause is nothing
   * to stop for.
   */
  readonly lowersFence?: boolean;
}

/**
 * What speaks for it that applications are on the target of the plan, or on their way to it. Empty: nothing does, and what can be
 * looked at proves that it is unused. A target that is gone, is somebody else's, or never came up serves nobody, unless the source says that a
 * switch may have been made: then it is somewhere under another name, or another instance has its place.
 */
export async function evidenceOfTarget(deps: Dependencies, given: TargetQuestion): Promise<Evidence[]> {
  const ref = inPlan(given);
  const aws = awsOf(deps, ref);
  if (renames(ref.plan)) {
    const names = await readNames(aws, ref);
    if (names.renamed || isUnderWay(ref, names)) {
      const text = `the instances have exchanged their names, or are about to: ${names.target?.DBInstanceIdentifier ?? 'the target'} has the tag of the target`;
      return [{ kind: 'names', text }];
    }
  }
  const target = await findInstance(aws, ref.plan.target.instance);
  const source = await findInstance(aws, ref.plan.source.instance);
  // Without an endpoint it has never been available.
  if (!target || !isOurTarget(target, ref) || target.DBInstanceStatus === 'deleting' || !target.Endpoint?.Address)
    return source && isTheSource(source, ref) ? evidenceWithoutTarget(deps, given, ref, source) : [];
  if (!source || !isTheSource(source, ref)) {
    const what = source ? 'is another instance by now' : 'is gone';
    return [
      { kind: 'alone', text: `${ref.plan.source.instance} ${what}: ${ref.plan.target.instance} may be the only copy` },
    ];
  }
  return judge(ref, await lookAtBoth(deps, ref, source, target));
}

/** What the source has written down, where no instance has the name of the target, or another one. */
async function evidenceWithoutTarget(
  deps: Dependencies,
  { lowersFence }: TargetQuestion,
  ref: RecordsRef,
  source: DBInstance,
): Promise<Evidence[]> {
  // Nothing can have been switched to a target that was never made.
  if (ref.targetResourceId === undefined || !source.Endpoint?.Address) return [];
  const seen = await patiently(() => readSource(deps, ref));
  const { instance: to } = ref.plan.target;
  const missing = `and no instance named ${to} is the target of this migration (resource id ${ref.targetResourceId}): was it renamed or replaced?`;
  // Whoever undoes something on a source that is away, for a reboot say, would have to wait for it as well.
  if ('unread' in seen) throw new Error(`${ref.plan.source.instance} can't be read: ${seen.unread}, ${missing}`);
  const { pausedSince, receives, wentBackAt } = seen.found;
  if (wentBackAt !== undefined) return [];
  const stopped: Evidence[] =
    pausedSince === undefined || lowersFence
      ? []
      : [
          {
            kind: 'pause',
            text: `a pause of this migration has stopped writes on ${ref.plan.source.instance} since ${pausedSince}, ${missing}`,
          },
        ];
  const follows: Evidence[] = receives
    ? [{ kind: 'way-back', text: `the way back replicates to ${ref.plan.source.instance}, ${missing}` }]
    : [];
  return [...stopped, ...follows];
}

/** In the direction of the plan, and with the names that it gives. */
function inPlan<Ref extends RecordsRef>(given: Ref): Omit<Ref, 'direction' | 'renamed'> {
  const { direction: _direction, renamed: _renamed, ...ref } = given;
  return ref;
}

async function lookAtBoth(deps: Dependencies, ref: RecordsRef, from: DBInstance, to: DBInstance): Promise<World> {
  const [source, target, switches] = await Promise.all([
    patiently(() => readSource(deps, ref)),
    patiently(async () => {
      const access = await accessTo(deps, ref, 'target');
      const records = await readRecords(access, ref);
      // After a rollback people look into a target that is fenced, as its master user.
      return { ...records, users: await usersOf(access, ref, records.pausedBackSince === undefined) };
    }),
    from.Endpoint?.Address
      ? seeSwitches(deps, ref, { source: from, target: to })
      : Promise.resolve({ source: [], target: [], unread: [] }),
  ]);
  return { source, target, switches };
}

/** What the source has written down, and whether the way back replicates to it. */
async function readSource(deps: Dependencies, ref: RecordsRef): Promise<Records & { readonly receives: boolean }> {
  const access = await accessTo(deps, ref, 'source');
  const receives = await receivesFrom(access, ref);
  return { ...(await readRecords(access, ref)), receives };
}

/** Whether a subscription of the way back is enabled: that is so from the switch on. */
async function receivesFrom(access: Parameters<typeof readRecords>[0], ref: RecordsRef): Promise<boolean> {
  const rows = await withSession(access, { step: STEP, database: 'postgres', readOnly: true }, (session) =>
    queryRows<{ name: string; database: string }>(
      session,
      `SELECT s.subname AS name, d.datname AS database FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE s.subenabled`,
    ),
  );
  return rows.some(({ name, database }) => name === subscriptionName(ref, database));
}

function judge({ plan, lowersFence }: TargetQuestion, { source, target, switches }: World): Evidence[] {
  const [from, to] = [plan.source.instance, plan.target.instance];
  const here = 'found' in source ? source.found : undefined;
  const pausedSince = lowersFence ? undefined : here?.pausedSince;
  const there = 'found' in target ? target.found : undefined;
  const found: Evidence[] = switches.target.map((what) => ({ kind: 'switch', text: `${what} names ${to}` }));
  const wentBack = here?.wentBackAt !== undefined && there?.cutOverAt === undefined;
  if (pausedSince !== undefined && !wentBack) {
    found.push({
      kind: 'pause',
      text: `a pause of this migration has stopped writes on ${from} since ${pausedSince}`,
    });
  }
  if (here?.receives && !wentBack) {
    found.push({ kind: 'way-back', text: `the way back replicates from ${to} to ${from}: it begins after the switch` });
  }
  if (there?.cutOverAt !== undefined && (pausedSince !== undefined || !isStale(plan, here, switches))) {
    found.push({ kind: 'record', text: `a cutover to ${to} is recorded there, of ${there.cutOverAt}` });
  }
  if (there && !there.schema) {
    found.push({
      kind: 'leftover',
      text: `${to} has the tag of this migration and nothing of it inside: a migration of this id ended there`,
    });
  }
  const users = there?.users.filter(({ writes }) => there.open || !there.schema || writes) ?? [];
  if (users.length > 0) found.push({ kind: 'sessions', text: `connected to ${to}: ${usersText(users)}` });
  return [...found, ...unreadOf({ plan }, { source, target, switches }, found)];
}

/**
 * A record that a pause left which was given up: its fence is down, and every switch can be read and names the source. Where a switch
 * can't be read, the record goes before the fence does, so one that is there counts.
 */
const isStale = (plan: RecordsRef['plan'], here: Records | undefined, { target, unread }: SwitchesSeen): boolean =>
  here?.schema === true && !isOpaque(plan.cutover.traffic) && target.length === 0 && unread.length === 0;

/**
 * What can't be read is a doubt, unless the source proves by itself that no pause has switched: the mark of a pause stays up from its
 * beginning until whoever looked at the switches has taken it down.
 */
function unreadOf(
  { plan }: Pick<RecordsRef, 'plan'>,
  { source, target, switches }: World,
  found: readonly Evidence[],
): Evidence[] {
  const unread: Evidence[] = switches.unread.map((text) => ({ kind: 'unread', text }));
  if ('unread' in source)
    unread.push({ kind: 'unread', text: `${plan.source.instance} can't be read: ${source.unread}` });
  const proven =
    'found' in source && source.found.schema && source.found.pausedSince === undefined && found.length === 0;
  if ('unread' in target && !proven) {
    unread.push({ kind: 'unread', text: `${plan.target.instance} can't be read: ${target.unread}` });
  }
  return unread;
}
