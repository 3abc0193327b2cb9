import { renames } from '../../plan/instance-names';
import type { CutoverFacts } from '../../plan/report';
import type { Dependencies } from '../dependencies';
import type { Deciding, PreparedSwitch } from '../traffic/traffic-switch';
import { meetAgain, requireRecord, SWITCH, whenUp } from './behind-rename';
import type { CutOverInput } from './cut-over-input';
import { type CutoverRecord, readCutover, writeCutover } from './cutover-facts';
import type { Fence } from './fences/fence';
import { type BothSides, forgetWayThere, openOldSource, openTargetAgain } from './open-target';
import { noteSwitchGoesOn, type PresentPause } from './pause-mark';
import { moveTraffic, releaseFences } from './release';

/** A pause that an attempt before this one brought as far as its switch. */
export interface WayForward {
  readonly deps: Dependencies;
  readonly input: CutOverInput;
  readonly sides: BothSides;
  readonly switches: readonly PreparedSwitch[];
  readonly fences: readonly Fence[];
  readonly record: CutoverRecord;
  /** How long the fence has been up, in milliseconds. */
  readonly msNow: () => number;
}

/**
 * Whether a record is of the pause that is under way, so that everything in it still holds: nobody has written on the source since. A
 * record that a server wrote late, after its pause was given up, is of another one. Older workers did not note which pause it is.
 */
export const isOfPause = (record: CutoverRecord | undefined, pause: PresentPause | undefined): boolean =>
  record !== undefined && pause !== undefined && (record.pause === undefined || record.pause === pause.pause);

/**
 * Finishes a pause by what its record says. The drain, the sequences and above all the position where the way back begins are never taken
 * anew: a request of the attempt before may be under way, and then applications write on the target already.
 * @throws SwitchRefused when the first switch did not take effect and never will: then the pause can be given up
 */
export async function goForward(way: WayForward, deciding: Deciding): Promise<CutoverFacts> {
  const { deps, input, sides, switches, fences } = way;
  const [decisive, ...rest] = switches;
  await openOldSource(deps, input, sides);
  await openTargetAgain(input, sides);
  // The reboots of a renaming end these sessions.
  if (renames(input.plan)) await forgetWayThere(input, sides);
  await noteSwitchGoesOn(sides.first.source, input);
  await decisive?.apply({ ...deciding, isRecorded: () => requireRecord(deps, input) });
  if (renames(input.plan)) await meetAgain(deps, input);
  await moveTraffic(rest);
  await releaseFences(fences);
  if (!renames(input.plan)) await forgetWayThere(input, sides);
  const { holder: _gone, pause: _known, ...facts } = await finished(way);
  return facts;
}

/** The record, with how long writes were stopped until the switch was made at last. */
async function finished({ deps, input, sides, switches, record, msNow }: WayForward): Promise<CutoverRecord> {
  if (renames(input.plan))
    return (await whenUp(deps, input, 'target', (target) => readCutover(target, input))) ?? record;
  const isMadeHere = switches[0]?.done === false && !record.timeline.some(({ step }) => step === SWITCH);
  if (!isMadeHere) return record;
  const pauseMs = Math.max(record.pauseMs, msNow());
  const timeline = [...record.timeline, { step: SWITCH, ms: pauseMs - record.pauseMs }];
  const complete = { ...record, timeline, pauseMs };
  await writeCutover(sides.first.target, input, complete);
  return complete;
}

/** Releases what was opened for switches. */
export async function closeSwitches(switches: readonly PreparedSwitch[]): Promise<void> {
  await Promise.allSettled(switches.map(async (one) => one.close?.()));
}
