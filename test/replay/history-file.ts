import { hostname } from 'node:os';
import { temporal } from '@temporalio/proto';

const { History } = temporal.api.history.v1;
type History = temporal.api.history.v1.IHistory;

/**
 * A history as text. Not by `historyToJSON` of the SDK: that wants a single copy of protobufjs in the whole tree, and npm
 * installs several beside each other.
 */
export function toText(history: History): string {
  const plain: unknown = History.toObject(History.fromObject(history), { enums: String, longs: String, bytes: String });
  return `${JSON.stringify(plain, anonymous, 1)}\n`;
}

/**
 * Who recorded it, and where, is nobody's business; it is in the identity of a worker, the name of
 * its own queue, and the paths of a stack trace.
 */
function anonymous(key: string, value: unknown): unknown {
  if (key === 'identity') return 'recorder';
  if (key === 'stackTrace') return String(value).split('\n')[0];
  return key === 'name' && String(value).includes(hostname()) ? 'queue-of-the-recorder' : value;
}

export const fromText = (text: string): History => History.fromObject(JSON.parse(text) as Record<string, unknown>);
