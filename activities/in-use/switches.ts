import type { DBInstance } from '@aws-sdk/client-rds';
import type { Dependencies, MigrationRef } from '../dependencies';
import { endpointOf } from '../rds/find-instance';
import { kindOf } from '../traffic/kinds';
import { placeFor } from '../traffic/prepared-switches';
import { patiently } from './patiently';

/** Which switches of the plan name which side; `unread`: why one could not be read. */
export interface SwitchesSeen {
  readonly source: readonly string[];
  readonly target: readonly string[];
  readonly unread: readonly string[];
}

/** Looks at each switch of the plan by itself, in the direction of the plan: one that can't be read hides none of the others. */
export async function seeSwitches(
  deps: Dependencies,
  ref: MigrationRef,
  sides: { readonly source: DBInstance; readonly target?: DBInstance },
): Promise<SwitchesSeen> {
  const [from, to] = [endpointOf(sides.source), sides.target?.Endpoint?.Address ? endpointOf(sides.target) : undefined];
  const place = { deps, ref, from, ...(to ? { to } : {}) };
  const looks = await Promise.all(
    ref.plan.cutover.traffic.map(async (entry) => {
      const seen = await patiently(() => kindOf(entry).look(placeFor(place, entry), entry));
      return 'found' in seen
        ? seen.found
        : { what: `switch ${entry.type}: ${seen.unread}`, pointsAt: 'unread' as const };
    }),
  );
  const whatOf = (wanted: string) => looks.filter(({ pointsAt }) => pointsAt === wanted).map(({ what }) => what);
  return { source: whatOf('from'), target: whatOf('to'), unread: whatOf('unread') };
}
