import { ActivityFailure, setHandler } from '@temporalio/workflow';
import type { WaiveRequest } from '../plan/gates';
import { BOARD_UNREADABLE } from '../plan/temporal';
import type { ByHand } from './by-hand';
import type { Desk } from './desk';
import type { Taking } from './listen';
import * as messages from './messages';

/** Handlers of what is asked and said around the board: `go-no-go`, `waive`, `switched`. A signal that is refused leaves a notice. */
export function listenAtDesk(desk: Desk, byHand: ByHand, take: Taking, notice: (text: string) => void): void {
  const failed = (error: unknown): string => {
    const cause = error instanceof ActivityFailure && error.cause ? error.cause : error;
    return `${BOARD_UNREADABLE}${cause instanceof Error ? cause.message : String(cause)}`;
  };
  setHandler(messages.goNoGoUpdate, () => take.update(() => desk.ask().catch(failed)), {
    validator: () => take.validate('go-no-go', desk.refuseLook()),
  });
  setHandler(messages.goNoGoSignal, () =>
    take.signal(desk.refuseLook(), () => desk.ask().catch((error: unknown) => notice(failed(error)))),
  );
  setHandler(messages.waiveUpdate, (input) => take.update(() => desk.waive(input)), {
    validator: (input: WaiveRequest | undefined) => take.validate('waive', desk.refuseWaive(input)),
  });
  setHandler(messages.waiveSignal, (input) => take.signal(desk.refuseWaive(input), () => desk.waive(input)));
  setHandler(messages.switchedUpdate, (input) => take.update(() => byHand.switched(input)), {
    validator: (input?: messages.Request) => take.validate('switched', byHand.refuse(input)),
  });
  setHandler(messages.switchedSignal, (input) => take.signal(byHand.refuse(input), () => byHand.switched(input)));
}
