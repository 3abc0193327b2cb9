import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import type { WorkflowInterceptors, WorkflowInternalsInterceptor } from '@temporalio/workflow';

type Activation = Parameters<NonNullable<WorkflowInternalsInterceptor['activate']>>[0]['activation'];

/** What a payload of a person becomes that can't be decoded. */
export interface Undecodable {
  readonly undecodable: string;
}

/**
 * Replaces, in what people send, every payload that can't be decoded by an object that says so. Otherwise a single signal
 * of a strange encoding fails every workflow task from then on, and with them every later signal, an abort included.
 *
 * Only signals, updates and queries, and the plan of a workflow that begins. Everything else is strict: a workflow task that
 * can't decode what an activity returned fails, and Temporal tries it again until a worker comes that can. A result that
 * is made up would be taken for a fact: a pause without `switched` counts as given up, though it has switched.
 */
export const interceptors = (): WorkflowInterceptors => ({
  internals: [
    {
      activate(input, next) {
        makeDecodable(input.activation);
        next(input);
      },
    },
  ],
});

/** Changes the activation in place: the SDK decodes it next. */
export function makeDecodable({ jobs, isReplaying }: Activation): void {
  for (const { signalWorkflow, doUpdate, queryWorkflow, initializeWorkflow } of jobs ?? []) {
    for (const message of [signalWorkflow, doUpdate]) if (message?.input) message.input = message.input.map(decodable);
    if (queryWorkflow?.arguments) queryWorkflow.arguments = queryWorkflow.arguments.map(decodable);
    // Of a migration that runs already, it's the worker that can't decode, and not the plan that is wrong.
    if (initializeWorkflow?.arguments && !isReplaying) {
      initializeWorkflow.arguments = initializeWorkflow.arguments.map(decodable);
    }
  }
}

function decodable(payload: Payload): Payload {
  try {
    defaultPayloadConverter.fromPayload(payload);
    return payload;
  } catch (error) {
    const instead: Undecodable = { undecodable: error instanceof Error ? error.message : String(error) };
    return defaultPayloadConverter.toPayload(instead) ?? payload;
  }
}
