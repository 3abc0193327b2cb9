import { ABORTS } from './aborts';
import { AFTER_THE_SWITCH } from './after-the-switch';
import { BOARDS } from './boards';
import { FAILURES } from './failures';
import { GATES } from './gates';
import { OPTIONS } from './options';
import { PAUSES } from './pauses';
import { ROLLBACKS } from './rollbacks';
import type { Scenario } from './scenario';

export type { Course, Scenario } from './scenario';

/** The courses of which a history is kept, by the names of their files. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  ...OPTIONS,
  ...GATES,
  ...BOARDS,
  ...PAUSES,
  ...AFTER_THE_SWITCH,
  ...ROLLBACKS,
  ...ABORTS,
  ...FAILURES,
};
