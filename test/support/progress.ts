import { newProgress, type Progress, stepOf } from '../../plan/progress';
import type { StepName } from '../../plan/steps';

/** A progress in which these steps are done, each having taken 90 s, and one runs. */
export function progressAt(done: readonly StepName[], running?: StepName): Progress {
  const progress = newProgress('encrypt-app-db');
  for (const name of done) {
    Object.assign(stepOf(progress, name), {
      status: 'done',
      startedAt: '2026-11-21T10:00:00.000Z',
      endedAt: '2026-11-21T10:01:30.000Z',
    });
  }
  if (running) Object.assign(stepOf(progress, running), { status: 'running', startedAt: '2026-11-21T10:01:30.000Z' });
  return progress;
}
