import type { TrafficSwitch } from '../../plan/plan';
import { isAboutSecret } from '../webhooks/call-hooks';
import { CallRefused, openEndpoint } from '../webhooks/endpoint';
import { decide } from './decide';
import { endpointText, type SwitchKind } from './traffic-switch';

type Entry = Extract<TrafficSwitch, { type: 'webhook' }>;

/** A feature flag, or whatever else the user's own endpoint turns: one signed request. What came of it only its answer says. */
export const webhook: SwitchKind<Entry> = {
  opaque: true,
  /** Only its answer tells. */
  decidedWithinMs: Number.POSITIVE_INFINITY,
  async look({ deps, ref, from, to }, entry) {
    const what = `webhook ${new URL(entry.url).origin}`;
    try {
      const endpoint = await openEndpoint(deps, ref, entry);
      const why = await endpoint.whyUnreachable();
      const red = why === undefined ? [] : [`${why}. Correct the url of the switch, or let the worker through to it.`];
      const names = to ? `${endpointText(from)} becomes ${endpointText(to)}` : `is told when traffic moves`;
      return { what, pointsAt: 'unknown', findings: [`${what}: ${names}`], red };
    } catch (error) {
      if (!isAboutSecret(error)) throw error;
      return { what, pointsAt: 'unknown', findings: [], red: [`${what}: ${error.message}`] };
    }
  },
  async prepare({ deps, ref, from, to }, entry) {
    const endpoint = await openEndpoint(deps, ref, entry);
    const index = ref.plan.cutover.traffic.indexOf(entry);
    const idempotencyKey = `${ref.id}:${ref.direction ?? 'there'}:${index}`;
    return {
      what: `webhook ${endpoint.name}`,
      from: endpointText(from),
      to: endpointText(to),
      done: false,
      async apply(deciding) {
        const facts = { from: { host: from.address, port: from.port }, to: { host: to.address, port: to.port } };
        await decide(
          {
            what: `webhook ${endpoint.name}`,
            decidedWithinMs: webhook.decidedWithinMs,
            write: () => endpoint.call({ event: 'traffic.switch', idempotencyKey, facts }),
            fateOf: (error) => ({ fate: error instanceof CallRefused ? 'refused' : 'unknown', error: error as Error }),
          },
          deciding,
        );
      },
    };
  },
};
