import { Context } from '@temporalio/activity';

/** What an activity last said of its progress; the interceptor sends it with every heartbeat. */
const providers = new WeakMap<Context, () => unknown>();

/** Sets what the heartbeats of the running activity carry from now on; `keyshift status` and the Web UI show it. */
export function reportProgress(details: () => unknown): void {
  providers.set(Context.current(), details);
}

/** Sends one heartbeat of the running activity. */
export function beat(context: Context): void {
  context.heartbeat(providers.get(context)?.());
}
