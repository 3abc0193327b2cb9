import { setTimeout as sleep } from 'node:timers/promises';
import { type DBInstance, ModifyDBInstanceCommand } from '@aws-sdk/client-rds';
import { ApplicationFailure } from '@temporalio/common';
import { oldSourceName } from '../../plan/instance-names';
import { isAwsError } from '../classify-error';
import { type Aws, awsOf, type Dependencies, type MigrationRef, type Side } from '../dependencies';
import { stopReceiving } from '../postgres/stop-receiving';
import { answerInTime, fateOf, once, SIGNED_REQUEST_LIVES_MS } from '../one-request';
import { decide } from '../traffic/decide';
import { type Deciding, SWITCH_UNCONFIRMED, SwitchRefused } from '../traffic/traffic-switch';
import { type Names, readNames, withNames } from './present-names';
import { isUp, throwIfFailed } from './instance-status';

/** One of the two renamings. */
export interface Renaming {
  /** As the plan calls it. */
  readonly side: Side;
  readonly from: string;
  readonly to: string;
}

/** Between two looks: a tenth of the time that it has taken so far, within these bounds. */
const SHORTEST_MS = 200;
const LONGEST_MS = 5_000;
/** RDS is eventually consistent: for so long it may not show that it has taken a renaming. */
const SHOWS_WITHIN_MS = 15_000;
export const RENAMING_DECIDED_WITHIN_MS = SIGNED_REQUEST_LIVES_MS + SHOWS_WITHIN_MS;
/** RDS may say for a while that a name is taken which has just been given up, or show an instance nowhere. */
const REFUSED_FOR_MS = 120_000;

/**
 * What is renamed, in this order: who has the name of the source gives it up, then the other one takes it. In the way back the target of the
 * plan gives it up, for the name that it had.
 */
export function renamingsOf({ plan, direction }: MigrationRef): readonly [Renaming, Renaming] {
  const [name, source, target] = [plan.source.instance, oldSourceName(plan), plan.target.instance];
  return direction === 'back'
    ? [
        { side: 'target', from: name, to: target },
        { side: 'source', from: source, to: name },
      ]
    : [
        { side: 'source', from: name, to: source },
        { side: 'target', from: target, to: name },
      ];
}

/** RDS has taken the renaming, or has done it. */
const isTaken = (found: DBInstance | undefined, { to }: Renaming): boolean =>
  found?.DBInstanceIdentifier === to || found?.PendingModifiedValues?.DBInstanceIdentifier === to;

/** Whether the name is being given up, or is: from there it only goes forward. */
export function isUnderWay(ref: MigrationRef, names: Names): boolean {
  const [first, second] = renamingsOf(ref);
  const found = names[first.side];
  return isTaken(found, first) || found?.DBInstanceStatus === 'renaming' || isTaken(names[second.side], second);
}

/**
 * The call that decides: asks RDS to give another name to whoever has the name of the source. Done already: nothing. An instance that is
 * not available is asked again, as long as the pause may go on: so answers RDS, too, when it has taken a request whose answer got lost.
 * @throws SwitchRefused when RDS has not taken it, and never will
 * @throws ApplicationFailure SWITCH_UNCONFIRMED when nobody knows that yet
 */
export async function giveUpName(deps: Dependencies, ref: MigrationRef, deciding: Deciding = {}): Promise<void> {
  const aws = awsOf(deps, ref);
  const [first] = renamingsOf(ref);
  const { strangers, ...names } = await readNames(aws, ref);
  if (isUnderWay(ref, { ...names, strangers })) return;
  if (deciding.sentSince === undefined && strangers.some((one) => one.DBInstanceIdentifier === first.to)) {
    throw new SwitchRefused(`there is a DB instance ${first.to} already`);
  }
  await decide(
    {
      what: `RDS does not rename ${first.from}`,
      decidedWithinMs: RENAMING_DECIDED_WITHIN_MS,
      write: () => rename(aws, first, once),
      fateOf(thrown) {
        const { fate, error } = fateOf(thrown);
        return { fate: isAwsError(error, 'InvalidDBInstanceState') ? 'not now' : fate, error };
      },
      look: async () => (isUnderWay(ref, await readNames(aws, ref)) ? 'to' : 'from'),
    },
    deciding,
  );
}

/**
 * Behind that: the other one takes the name as soon as it is free. Returns when it is available under it. Looks before each step, so it may
 * be killed anywhere and done again, by several at once. Needs no activity: the watchdog does this, too.
 * @param mayAct asked right before it takes the name; throws when this renaming is a thing of the past
 * @throws ApplicationFailure ResourceFailed when an instance fails; SWITCH_UNCONFIRMED, to be tried again, for anything else
 */
export async function takeName(deps: Dependencies, ref: MigrationRef, mayAct: () => Promise<void>): Promise<void> {
  try {
    await untilTaken(deps, ref, mayAct);
  } catch (error) {
    if (error instanceof ApplicationFailure) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw ApplicationFailure.retryable(`The instances are being renamed, but ${message}`, SWITCH_UNCONFIRMED);
  }
}

async function untilTaken(deps: Dependencies, ref: MigrationRef, mayAct: () => Promise<void>): Promise<void> {
  const aws = awsOf(deps, ref);
  const [first, second] = renamingsOf(ref);
  const startedAt = Date.now();
  let refusedSince: number | undefined;
  let seenAt = startedAt;
  for (;;) {
    const names = await readNames(aws, ref);
    const [gone, comes] = [names[first.side], names[second.side]];
    for (const one of [gone, comes]) if (one) throwIfFailed(one);
    if (comes?.DBInstanceIdentifier === second.to && isRenamed(comes)) return;
    if (gone && comes) seenAt = Date.now();
    else if (Date.now() - seenAt > REFUSED_FOR_MS) {
      throw new Error(
        `RDS shows no instance that is called ${first.from} or ${first.to}, or none called ${second.from}`,
      );
    }
    const isFree = gone?.DBInstanceIdentifier === first.to;
    if (isFree && comes?.DBInstanceIdentifier === second.from && !isTaken(comes, second)) {
      await mayAct();
      // Its subscription names the server that it takes the name of: it would read from itself.
      await stopReceiving(deps, withNames(ref, names));
      try {
        await rename(aws, second);
        refusedSince = undefined;
      } catch (error) {
        if (!isAwsError(error, 'DBInstanceAlreadyExists', 'InvalidDBInstanceState')) throw error;
        refusedSince ??= Date.now();
        if (Date.now() - refusedSince > REFUSED_FOR_MS) throw error;
      }
    }
    await sleep(Math.min(LONGEST_MS, Math.max(SHORTEST_MS, (Date.now() - startedAt) / 10)));
  }
}

/** The renaming is over: sessions can come, whatever RDS does besides. */
const isRenamed = (found: DBInstance): boolean =>
  isUp(found) && found.PendingModifiedValues?.DBInstanceIdentifier === undefined;

/**
 * RDS reboots the instance at once.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html
 */
async function rename({ rds }: Aws, { from, to }: Renaming, sendOnce?: typeof once): Promise<void> {
  const command = new ModifyDBInstanceCommand({
    DBInstanceIdentifier: from,
    NewDBInstanceIdentifier: to,
    ApplyImmediately: true,
  });
  await (sendOnce ? rds.send(sendOnce(command), answerInTime()) : rds.send(command));
}
