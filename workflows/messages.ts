import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { GateAnswer, WaiveRequest } from '../plan/gates';
import type { Progress, RetryingInput } from '../plan/progress';
import type { Report } from '../plan/report';
import { MESSAGES } from '../plan/temporal';

/** Who asks, and why; goes into the evidence. */
export interface Request {
  readonly by?: string;
  readonly reason?: string;
}

// Signals are for the Temporal CLI and the Web UI, which get no answer; updates of the same names answer.
export const approveSignal = defineSignal<[GateAnswer]>(MESSAGES.approve);
export const rejectSignal = defineSignal<[GateAnswer]>(MESSAGES.reject);
export const abortSignal = defineSignal<[Request?]>(MESSAGES.abort);
export const retrySignal = defineSignal<[Request?]>(MESSAGES.retry);
export const rollbackSignal = defineSignal<[Request?]>(MESSAGES.rollback);

export const approveUpdate = defineUpdate<string, [GateAnswer]>(MESSAGES.approve);
export const rejectUpdate = defineUpdate<string, [GateAnswer]>(MESSAGES.reject);
export const abortUpdate = defineUpdate<string, [Request?]>(MESSAGES.abort);
export const retryUpdate = defineUpdate<string, [Request?]>(MESSAGES.retry);
export const rollbackUpdate = defineUpdate<string, [Request?]>(MESSAGES.rollback);

export const goNoGoSignal = defineSignal(MESSAGES.goNoGo);
export const waiveSignal = defineSignal<[WaiveRequest]>(MESSAGES.waive);
export const switchedSignal = defineSignal<[Request?]>(MESSAGES.switched);
export const goNoGoUpdate = defineUpdate<string>(MESSAGES.goNoGo);
export const waiveUpdate = defineUpdate<string, [WaiveRequest]>(MESSAGES.waive);
export const switchedUpdate = defineUpdate<string, [Request?]>(MESSAGES.switched);

/** What our workers say of an activity that is tried again. */
export const retryingUpdate = defineUpdate<void, [RetryingInput]>(MESSAGES.retrying);

export const progressQuery = defineQuery<Progress>(MESSAGES.progress);
export const reportQuery = defineQuery<Report>(MESSAGES.report);
