import type { Check } from '../../plan/checks';
import type { Dependencies, MigrationRef } from '../dependencies';
import type { Endpoint } from '../postgres/session';
import { lookAtSwitches } from '../traffic/prepared-switches';
import { lookAtHooks } from '../webhooks/call-hooks';

const code = 'traffic-switch';

/** Every switch exists, can be read, and names the source; every hook can be reached. */
export async function checkTraffic(deps: Dependencies, ref: MigrationRef, source: Endpoint): Promise<Check[]> {
  const [looks, unreachable] = await Promise.all([lookAtSwitches({ deps, ref, from: source }), lookAtHooks(deps, ref)]);
  const hooks = unreachable.map((message): Check => {
    return {
      code,
      level: 'block',
      message,
      remedy: 'Correct cutover.hooks, or let the worker through to the endpoint.',
    };
  });
  if (looks.length === 0) {
    return [
      ...hooks,
      {
        code,
        level: 'ok',
        message: 'The plan names no traffic switch: after the pause, you point applications at the target by hand.',
      },
    ];
  }
  const checks = looks.flatMap(({ what, findings, red }): Check[] =>
    red.length > 0
      ? red.map((message) => ({ code, level: 'block', message, remedy: 'Correct cutover.traffic, or what it names.' }))
      : [{ code, level: 'ok', message: findings.join('; ') || what }],
  );
  return [...hooks, ...checks];
}
