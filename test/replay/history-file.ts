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

/** Who recorded it, and where, is nobody's business. */
const anonymous = (key: string, value: unknown): unknown => (key === 'identity' ? 'recorder' : value);

export const fromText = (text: string): History => History.fromObject(JSON.parse(text) as Record<string, unknown>);
