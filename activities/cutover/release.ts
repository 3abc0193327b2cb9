import { ApplicationFailure } from '@temporalio/common';
import { type PreparedSwitch, SWITCH_UNCONFIRMED } from '../traffic/traffic-switch';
import type { Fence } from './fences/fence';

/** Behind the first write there is no way back: whatever fails is tried again until it works. */
export async function moveTraffic(switches: readonly PreparedSwitch[]): Promise<void> {
  for (const one of switches) await goingForward(one.what, () => one.apply());
}

/** Lets the clients that a fence holds go on, all fences at the same time; every one of them is tried. */
export async function releaseFences(fences: readonly Fence[]): Promise<void> {
  const results = await Promise.allSettled(fences.map((fence) => goingForward(fence.name, () => fence.release())));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}

async function goingForward(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (isUnconfirmed(error)) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw ApplicationFailure.retryable(
      `Traffic is on its way to the target, but ${what} refuses: ${message}`,
      'SwitchUnfinished',
    );
  }
}

/** The write was taken, so traffic is on its way whatever a read says. */
export const isUnconfirmed = (error: unknown): boolean =>
  error instanceof ApplicationFailure && error.type === SWITCH_UNCONFIRMED;
