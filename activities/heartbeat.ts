import { Context } from '@temporalio/activity';
import { jsonBytes } from '../plan/fit-report';
import type { SavedFailures } from './failed-before';

/**
 * A heartbeat may have so many bytes. Temporal refuses a payload of more than 2 MiB: then the activity fails, is tried again from
 * the heartbeat before, and fails again. From 512 KiB on it warns.
 * @see https://docs.temporal.io/self-hosted-guide/defaults
 */
export const MOST_HEARTBEAT_BYTES = 1_500_000;

/** What an activity last said of its progress; the interceptor sends it with every heartbeat. */
const providers = new WeakMap<Context, () => unknown>();

/** Sets what the heartbeats of the running activity carry from now on; `keyshift status` and the Web UI show it. */
export function reportProgress(details: () => unknown): void {
  providers.set(Context.current(), details);
}

/** What every heartbeat of an activity carries beside its progress: its attempts that failed. */
const kept = new WeakMap<Context, () => SavedFailures | undefined>();

/** Sets what the heartbeats of an activity keep of its attempts that failed. */
export function keepFailures(context: Context, failed: () => SavedFailures | undefined): void {
  kept.set(context, failed);
}

/** What the next heartbeat says. An attempt that has said nothing yet must not wipe out where the one before it stood. */
function detailsOf(context: Context): unknown {
  const said: unknown = providers.has(context) ? providers.get(context)?.() : context.info.heartbeatDetails;
  const failed = kept.get(context)?.();
  return failed === undefined ? said : { ...(said as object | undefined), failed };
}

/** Sends one heartbeat of the running activity. */
export function beat(context: Context): void {
  const details = detailsOf(context);
  const bytes = details === undefined ? 0 : jsonBytes(details);
  if (bytes <= MOST_HEARTBEAT_BYTES) return context.heartbeat(details);
  // The next attempt begins anew: slow, and right. Where that happens, something is not bounded that should be.
  context.log.error('a heartbeat is too big, so that it is sent without its place to go on', { bytes });
  context.heartbeat({ waitingFor: shortTextOf(details), tooBig: `${bytes} bytes` });
}

/** What it says that it waits for, if it does. */
function shortTextOf(details: unknown): string {
  const { waitingFor } = (details ?? {}) as { waitingFor?: unknown };
  return typeof waitingFor === 'string' ? waitingFor.slice(0, 1_000) : '';
}
