import { defaultPayloadConverter, type Payload, type PayloadConverter } from '@temporalio/common';

/** What a payload becomes that cannot be decoded. */
export interface Undecodable {
  readonly undecodable: string;
}

/**
 * The default converter, but for payloads in an encoding that it doesn't know: those become an object that says so. With
 * the default one, a single signal of a strange encoding fails every workflow task from then on, and with them every later
 * signal, an abort included.
 */
export const payloadConverter: PayloadConverter = {
  toPayload: (value) => defaultPayloadConverter.toPayload(value),
  fromPayload: <T>(payload: Payload): T => {
    try {
      return defaultPayloadConverter.fromPayload<T>(payload);
    } catch (error) {
      return { undecodable: error instanceof Error ? error.message : String(error) } as T;
    }
  },
};
