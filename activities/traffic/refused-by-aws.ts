import { SwitchRefused } from './traffic-switch';

/** An answer of AWS that says no, not that something broke: 4xx, after the SDK has tried a throttled call again. */
export const isRefusal = (error: unknown): error is Error => {
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 0;
  return status >= 400 && status < 500;
};

/**
 * The answer to the call that makes a switch.
 * @throws SwitchRefused when AWS has refused it, so that it has no effect; any other error leaves that open
 */
export async function orRefused<T>(what: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (isRefusal(error)) throw new SwitchRefused(`${what}: AWS answered ${error.name}: ${error.message}`);
    throw error;
  }
}
