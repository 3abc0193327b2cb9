import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { finalFailure } from '../../plan/failures';
import type { Hook } from '../../plan/plan';
import type { Dependencies, MigrationRef } from '../dependencies';
import { readSecretFor } from '../secrets/secret-use';
import { post } from './post';
import { HEADERS, signatureOf } from './sign';

/** What an endpoint of the user is told. It never changes for one idempotency key. */
export interface Call {
  /** What happens, for example `traffic.switch`. */
  readonly event: string;
  /** The same for every try of one thing: an endpoint that has done it once does nothing more. */
  readonly idempotencyKey: string;
  /** What else the endpoint may want to know. No secrets. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** An endpoint of the user, with the key in hand that signs what it is told. */
export interface Endpoint {
  /** For messages: where it is, without the path, in which some put a token. */
  readonly name: string;
  /**
   * Tells it, once, and waits for an answer of 2xx.
   * @throws CallRefused when it took no effect, for sure; Error when nobody knows: try again with the same key
   */
  call(call: Call): Promise<void>;
  /** Why it can't be reached or isn't trusted; it is told nothing. */
  whyUnreachable(): Promise<string | undefined>;
}

/** The endpoint has not done what it was asked for, and says so, or was never asked: it couldn't be reached. */
export class CallRefused extends Error {
  override readonly name = 'CallRefused';
}

/**
 * Reads the key that signs.
 * @throws ApplicationFailure AccessDenied when the secret isn't released for webhooks, ResourceGone when there is none, InvalidRequest when it
 * is empty
 */
export async function openEndpoint(deps: Dependencies, ref: MigrationRef, hook: Hook): Promise<Endpoint> {
  const { url, secret, timeoutMs } = hook;
  const key = await readSecretFor(deps, ref, secret, 'webhook');
  if (key === '') {
    throw finalFailure('InvalidRequest', `Secret ${secret} is empty: it has to be the key that signs requests.`);
  }
  const name = new URL(url).origin;
  const safe = (text: string): string => text.replaceAll(key, '...').replaceAll(url, name);
  return {
    name,
    async call({ event, idempotencyKey, facts }) {
      const { id, plan, direction } = ref;
      const body = JSON.stringify({
        event,
        idempotencyKey,
        migration: id,
        direction: direction ?? 'there',
        source: plan.source.instance,
        target: plan.target.instance,
        ...facts,
      });
      const timestamp = String(Math.floor(Date.now() / 1_000));
      const headers = {
        'Content-Type': 'application/json',
        [HEADERS.timestamp]: timestamp,
        [HEADERS.idempotencyKey]: idempotencyKey,
        [HEADERS.signature]: signatureOf(key, timestamp, body),
      };
      const posted = await post(url, headers, body, timeoutMs);
      if ('failed' in posted) {
        const message = `${name} did not answer ${event}: ${safe(posted.failed)}`;
        throw posted.sent ? new Error(message) : new CallRefused(message);
      }
      const { status, text } = posted;
      if (status >= 200 && status < 300) return;
      const message = `${name} answered ${event} with ${status}${text ? `: ${safe(text)}` : ''}`;
      throw isRefusal(status) ? new CallRefused(message) : new Error(message);
    },
    whyUnreachable: async () => {
      const why = await whyNoConnection(new URL(url), timeoutMs);
      return why === undefined ? undefined : `${name} can't be reached: ${safe(why)}`;
    },
  };
}

/**
 * Whether such an answer says that nothing was done. 409 doesn't: so answers who is still busy with a request of the same key; nor does
 * 303, which follows upon what was done.
 */
const isRefusal = (status: number): boolean => status >= 300 && status < 500 && status !== 303 && status !== 409;

/** Connects, as far as TLS, and says nothing. */
function whyNoConnection({ protocol, hostname, port }: URL, timeoutMs: number): Promise<string | undefined> {
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const done = (why?: string) => {
      socket.destroy();
      resolve(why);
    };
    const socket =
      protocol === 'https:'
        ? connectTls({ host, port: Number(port || 443), servername: host }, () => done())
        : connect({ host, port: Number(port || 80) }, () => done());
    socket.setTimeout(timeoutMs, () => done(`no connection within ${timeoutMs} ms`));
    socket.once('error', (error: Error) => done(error.message));
  });
}
