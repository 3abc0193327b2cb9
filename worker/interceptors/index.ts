import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { ActivityHeartbeat } from './activity-heartbeat';
import { FailedAttempts } from './failed-attempts';
import { FailureClassifier } from './failure-classifier';
import { PayloadSize } from './payload-size';

/** What is around every activity, from the outside in. */
export const ACTIVITY_INTERCEPTORS: readonly ActivityInterceptorsFactory[] = [
  () => ({ inbound: new PayloadSize() }),
  (context) => ({ inbound: new ActivityHeartbeat(context) }),
  (context) => ({ inbound: new FailedAttempts(context) }),
  (context) => ({ inbound: new FailureClassifier(context) }),
];
