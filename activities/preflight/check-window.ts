import { windowText } from '../../plan/board';
import type { Check } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import { windowAt } from '../cutover/window';

const code = 'cutover-window';

/** Whether the window of the cutover is one that ever opens. Nothing, where the plan names none. */
export function checkWindow({ gates }: Plan, now: Date): Check[] {
  const { window } = gates.cutover;
  if (!window) return [];
  try {
    const state = windowAt(window, now);
    return state ? [{ code, level: 'ok', message: windowText(state) }] : [];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [
      {
        code,
        level: 'block',
        message: `gates.cutover.window: "${window.cron}" in ${window.timeZone} is not a window: ${why}`,
        remedy:
          'Correct gates.cutover.window: cron has five fields (minute, hour, day, month, day of week), for example "0 3 * * 6"; timeZone is an IANA name, for example Europe/Berlin.',
      },
    ];
  }
}
