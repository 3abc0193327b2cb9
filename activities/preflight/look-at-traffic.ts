import type { Check } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import { isAwsError } from '../classify-error';
import type { Aws } from '../dependencies';
import type { Endpoint } from '../postgres/session';
import { rewriteEndpoint } from '../traffic/rewrite-endpoint';
import { trafficStore } from '../traffic/switches';

const code = 'traffic-switch';

/** Every switch exists, can be read, and names the source. */
export async function checkTraffic(aws: Aws, plan: Plan, source: Endpoint): Promise<Check[]> {
  if (plan.cutover.traffic.length === 0) {
    return [
      {
        code,
        level: 'ok',
        message: 'The plan names no traffic switch: after the pause, you point applications at the target by hand.',
      },
    ];
  }
  return Promise.all(
    plan.cutover.traffic.map(async (entry): Promise<Check> => {
      const store = trafficStore(aws, entry);
      try {
        const { replacements } = rewriteEndpoint(await store.read(), source, source);
        if (replacements > 0) return { code, level: 'ok', message: `${store.what} names the source` };
        return {
          code,
          level: 'block',
          message: `${store.what} does not name the source (${source.address}:${source.port}).`,
          remedy:
            'Name the parameter or secret from which applications read their database, or write the endpoint of the source into it.',
        };
      } catch (error) {
        if (!isAwsError(error, 'ParameterNotFound', 'ResourceNotFoundException')) throw error;
        return {
          code,
          level: 'block',
          message: `There is no ${store.what} in region ${aws.region}.`,
          remedy: 'Correct cutover.traffic.',
        };
      }
    }),
  );
}
