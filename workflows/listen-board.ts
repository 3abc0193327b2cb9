import { ActivityFailure, ApplicationFailure, setHandler } from '@temporalio/workflow';
import type { WaiveRequest } from '../plan/gates';
import type { ByHand } from './by-hand';
import type { Desk } from './desk';
import * as messages from './messages';

/** Handlers of what is asked and said around the board: `go-no-go`, `waive`, `switched`. A signal that is refused leaves a notice. */
export function listenAtDesk(desk: Desk, byHand: ByHand, notice: (text: string) => void): void {
  const refusing = (refused: string | undefined): void => {
    if (refused !== undefined) throw ApplicationFailure.nonRetryable(refused, 'Refused');
  };
  const bySignal = (refused: string | undefined, effect: () => unknown): void => {
    if (refused === undefined) effect();
    else notice(refused);
  };
  const failed = (error: unknown): string => {
    const cause = error instanceof ActivityFailure && error.cause ? error.cause : error;
    return `the board can't be read: ${cause instanceof Error ? cause.message : String(cause)}`;
  };
  setHandler(messages.goNoGoUpdate, () => desk.ask().catch(failed), { validator: () => refusing(desk.refuseLook()) });
  setHandler(messages.goNoGoSignal, () =>
    bySignal(desk.refuseLook(), () => desk.ask().catch((error: unknown) => notice(failed(error)))),
  );
  setHandler(messages.waiveUpdate, (input) => desk.waive(input), {
    validator: (input: WaiveRequest | undefined) => refusing(desk.refuseWaive(input)),
  });
  setHandler(messages.waiveSignal, (input) => bySignal(desk.refuseWaive(input), () => desk.waive(input)));
  setHandler(messages.switchedUpdate, (input) => byHand.switched(input), {
    validator: (input?: messages.Request) => refusing(byHand.refuse(input)),
  });
  setHandler(messages.switchedSignal, (input) => bySignal(byHand.refuse(input), () => byHand.switched(input)));
}
