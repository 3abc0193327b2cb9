import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { AwsError } from './errors';

/** What can be asked of `POST /_keyshift/faults`. */
export const faultRequest = z.strictObject({
  /** Name of the operation, such as `CreateDBSnapshot`. */
  operation: z.string().min(1),
  /**
   * `throttle`: refused as AWS refuses too many calls. `error`: refused with `code`. `drop-after`: the effect takes place, then the connection is
   * cut. `late`: the call is refused with `code`, or without one the connection is cut, and its effect takes place `delayMs` later. `stall`: what
   * the operation works on stays in its transitional state until the fault is cleared. `delay`: the answer comes `delayMs` late.
   */
  kind: z.enum(['throttle', 'error', 'drop-after', 'late', 'stall', 'delay']),
  /** How many calls it hits. */
  times: z.int().positive().default(1),
  /** How many calls it lets pass before the first that it hits. */
  skip: z.int().min(0).default(0),
  code: z.string().optional(),
  status: z.int().min(400).max(599).optional(),
  message: z.string().optional(),
  /** Of `stall`: stalls only in this state. */
  state: z.string().optional(),
  delayMs: z.int().min(0).default(0),
  /** Of `delay`: whether the call waits before its effect takes place, or after it. */
  when: z.enum(['before', 'after']).default('before'),
});

/** How often something that stalls looks whether it may go on. */
const STALL_POLL_MS = 20;

/** A fault that waits for its calls. */
export interface Fault extends z.infer<typeof faultRequest> {
  readonly id: number;
  /** Calls hit so far. */
  hits: number;
  /** Calls let pass so far. */
  passed: number;
  /** Of `late`: effects that have not taken place yet. */
  pending: number;
}

/** Faults that tests order. They live in memory: a restart of the stand-in clears them. */
export class Faults {
  private readonly faults: Fault[] = [];
  private lastId = 0;

  add(request: z.infer<typeof faultRequest>): Fault {
    const fault = { ...request, id: ++this.lastId, hits: 0, passed: 0, pending: 0 };
    this.faults.push(fault);
    return fault;
  }

  list(): readonly Fault[] {
    return this.faults;
  }

  /** Takes faults away: all, or those of one operation. Whatever stalls goes on. */
  clear(operation?: string): void {
    const kept = this.faults.filter((fault) => operation !== undefined && fault.operation !== operation);
    this.faults.splice(0, this.faults.length, ...kept);
  }

  /** Throws if a call of the operation is to be refused. */
  refuse(operation: string): void {
    const fault = this.hit(operation, ['throttle', 'error']);
    if (!fault) return;
    const throttled = fault.kind === 'throttle';
    throw new AwsError(
      fault.code ?? (throttled ? 'Throttling' : 'InternalFailure'),
      fault.message ?? (throttled ? 'Rate exceeded' : 'An internal error has occurred. (injected fault)'),
      fault.status ?? (throttled ? 400 : 500),
    );
  }

  /** Whether the answer to this call of the operation is to be dropped. */
  dropsAnswer(operation: string): boolean {
    return this.hit(operation, ['drop-after']) !== undefined;
  }

  /**
   * Whether the effect of this call is to come late: then `work` is done after an answer that says otherwise.
   * @throws AwsError where the answer is a refusal
   * @returns true: the connection is to be cut
   */
  isLate(operation: string, work: () => Promise<void>): boolean {
    const fault = this.hit(operation, ['late']);
    if (!fault) return false;
    fault.pending += 1;
    setTimeout(() => void work().finally(() => (fault.pending -= 1)), fault.delayMs).unref();
    if (fault.code === undefined) return true;
    throw new AwsError(fault.code, fault.message ?? 'An error has occurred. (injected fault)', fault.status ?? 500);
  }

  /** A delay that a call of the operation has; it is handed to `delay`, before and after the effect. */
  delayOf(operation: string): Fault | undefined {
    return this.hit(operation, ['delay']);
  }

  /** Waits, if the delay is one of this moment; no longer than until it is cleared. */
  async delay(delay: Fault | undefined, when: Fault['when'], shutdown: AbortSignal): Promise<void> {
    if (delay?.when !== when) return;
    const end = Date.now() + delay.delayMs;
    while (this.faults.includes(delay) && Date.now() < end) {
      await sleep(Math.min(STALL_POLL_MS, end - Date.now()), undefined, { signal: shutdown });
    }
  }

  /** Notes whether a call of the operation is to stall later; the answer is handed to `whileStalled`. */
  stallOf(operation: string): Fault | undefined {
    return this.hit(operation, ['stall']);
  }

  /** Waits as long as the fault isn't cleared. */
  async whileStalled(stall: Fault | undefined, state: string, shutdown: AbortSignal): Promise<void> {
    if (!stall || (stall.state !== undefined && stall.state !== state)) return;
    while (this.faults.includes(stall)) await sleep(STALL_POLL_MS, undefined, { signal: shutdown });
  }

  private hit(operation: string, kinds: readonly Fault['kind'][]): Fault | undefined {
    for (const fault of this.faults) {
      if (fault.operation !== operation || !kinds.includes(fault.kind) || fault.hits >= fault.times) continue;
      if (fault.passed < fault.skip) {
        fault.passed += 1;
        continue;
      }
      fault.hits += 1;
      return fault;
    }
    return undefined;
  }
}
