import { reportProgress } from '../heartbeat';
import type { Dependencies, MigrationRef } from '../dependencies';
import { openEndpoint } from './endpoint';

export interface HooksInput extends MigrationRef {
  readonly when: 'before' | 'after';
  /** Which pause of the migration it is about, so that each has idempotency keys of its own. */
  readonly round?: number;
  /** What the endpoints are told besides, for example how the pause ended. No secrets. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/**
 * Calls the endpoints of `cutover.hooks`, in the order of the plan, each within its own time limit. Before the pause every one of them
 * has to agree, so the first that doesn't is the last that is asked; after the switch all of them are told, whatever the others answer.
 * @returns why it isn't agreed, or who could not be told; empty: all answered 2xx
 */
export async function callHooks(deps: Dependencies, input: HooksInput): Promise<string[]> {
  const { id, plan, direction = 'there', when, round = 1, facts = {} } = input;
  const failed: string[] = [];
  for (const [index, hook] of plan.cutover.hooks[when].entries()) {
    const endpoint = await openEndpoint(deps, input, hook);
    reportProgress(() => ({ waitingFor: endpoint.name }));
    const call = { event: `cutover.${when}`, idempotencyKey: `${id}:${direction}:${when}:${round}:${index}`, facts };
    const refused = await endpoint.call(call).then(
      () => undefined,
      (error: Error) => error.message,
    );
    if (refused === undefined) continue;
    failed.push(refused);
    if (when === 'before') break;
  }
  return failed;
}

/** What speaks against calling the hooks of the plan: secrets that aren't there, endpoints that can't be reached. They are told nothing. */
export async function lookAtHooks(deps: Dependencies, ref: MigrationRef): Promise<string[]> {
  const { before, after } = ref.plan.cutover.hooks;
  const looks = await Promise.all(
    [...before, ...after].map(async (hook) => {
      try {
        return await (await openEndpoint(deps, ref, hook)).whyUnreachable();
      } catch (error) {
        if (!isAboutSecret(error)) throw error;
        return error.message;
      }
    }),
  );
  return looks.flatMap((why) => why ?? []);
}

/** The secret of an endpoint is not there, is no key, or is not for this. */
export const isAboutSecret = (error: unknown): error is Error =>
  ['ResourceGone', 'InvalidRequest', 'AccessDenied'].includes((error as { type?: string }).type ?? '');
