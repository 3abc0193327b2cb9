import { createHmac } from 'node:crypto';

/** Headers of every request that we send to an endpoint of the user; docs/webhooks.md shows how to verify them. */
export const HEADERS = {
  signature: 'Keyshift-Signature',
  timestamp: 'Keyshift-Timestamp',
  idempotencyKey: 'Keyshift-Idempotency-Key',
} as const;

/**
 * The signature of a request: HMAC-SHA256 over the timestamp, a dot and the body, in hexadecimal digits behind the name of the scheme.
 * The timestamp is signed, too, so that a request which somebody recorded is of no use later.
 * @param timestamp seconds since 1970, as in the header
 */
export const signatureOf = (key: string, timestamp: string, body: string): string =>
  `v1=${createHmac('sha256', key).update(`${timestamp}.${body}`).digest('hex')}`;
