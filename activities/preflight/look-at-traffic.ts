import type { Check } from '../../plan/checks';
import type { Dependencies, MigrationRef } from '../dependencies';
import type { Endpoint } from '../postgres/session';
import { lookAtSwitches } from '../traffic/prepared-switches';

const code = 'traffic-switch';

/** Every switch exists, can be read, and names the source. */
export async function checkTraffic(deps: Dependencies, ref: MigrationRef, source: Endpoint): Promise<Check[]> {
  const looks = await lookAtSwitches({ deps, ref, from: source });
  if (looks.length === 0) {
    return [
      {
        code,
        level: 'ok',
        message: 'The plan names no traffic switch: after the pause, you point applications at the target by hand.',
      },
    ];
  }
  return looks.flatMap(({ what, findings, red }): Check[] =>
    red.length > 0
      ? red.map((message) => ({ code, level: 'block', message, remedy: 'Correct cutover.traffic, or what it names.' }))
      : [{ code, level: 'ok', message: findings.join('; ') || what }],
  );
}
