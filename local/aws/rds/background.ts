import type { Context } from '../context';

/**
 * Work that goes on after its call was answered. When the stand-in shuts down it is broken off, and taken up again by the next start
 * from the operation noted in the state; any other error is the business of `onFailure`.
 */
export function runInBackground(
  context: Context,
  what: Readonly<Record<string, string>>,
  work: () => Promise<void>,
  onFailure: (error: Error) => void,
): void {
  const running = work()
    .catch((error: unknown) => {
      if (context.shutdown.aborted) return;
      context.log.error({ ...what, err: error }, 'operation failed');
      onFailure(error as Error);
      context.store.changed();
    })
    .finally(() => context.background.delete(running));
  context.background.add(running);
}
