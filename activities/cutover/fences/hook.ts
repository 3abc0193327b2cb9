import { randomUUID } from 'node:crypto';
import type { FenceEntry } from '../../../plan/plan';
import { openEndpoint } from '../../webhooks/endpoint';
import type { Fence, FenceKind } from './fence';

type HookEntry = Extract<FenceEntry, { type: 'hook' }>;

/**
 * The user's own endpoint stops the writes: `fence.raise`, and lets them go on: `fence.lower` on the source, `fence.release` on the target. It may
 * be told the same again with another key, by an attempt that took over, so each of them has to be harmless where it is done already.
 */
export const hook: FenceKind<HookEntry> = {
  async look(deps, ref, entry) {
    const what = `hook ${new URL(entry.url).origin}`;
    try {
      const why = await (await openEndpoint(deps, ref, entry)).whyUnreachable();
      return { findings: [`${what} is told to stop writes`], red: why === undefined ? [] : [`fence ${what}: ${why}`] };
    } catch (error) {
      return { findings: [], red: [`fence ${what}: ${error instanceof Error ? error.message : String(error)}`] };
    }
  },
  async open(deps, ref, entry): Promise<Fence> {
    const endpoint = await openEndpoint(deps, ref, entry);
    const key = `${ref.id}:${ref.direction ?? 'there'}:fence:${ref.plan.cutover.fence.indexOf(entry)}:${randomUUID()}`;
    const tell = (action: 'raise' | 'lower' | 'release') =>
      endpoint.call({ event: `fence.${action}`, idempotencyKey: `${key}:${action}` });
    return {
      name: `hook ${endpoint.name}`,
      staysUp: false,
      async raise(clock) {
        clock.mayGoOn();
        await tell('raise');
      },
      lower: () => tell('lower'),
      release: () => tell('release'),
      close: () => Promise.resolve(),
    };
  },
};
