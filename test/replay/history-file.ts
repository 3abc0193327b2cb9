import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { temporal } from '@temporalio/proto';

const { History } = temporal.api.history.v1;
type History = temporal.api.history.v1.IHistory;

/**
 * A history as text, an event a line. Not by `historyToJSON` of the SDK: that wants a single copy of protobufjs in the whole tree, and npm
 * installs several beside each other.
 */
function toText(history: History): string {
  const plain = History.toObject(History.fromObject(history), { enums: String, longs: String, bytes: String });
  const events = (plain['events'] as unknown[]).map((event) => JSON.stringify(event, anonymous));
  return `{"events":[\n${events.join(',\n')}\n]}\n`;
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

/** Where the histories are: one a file, as JSON, most of them compressed. */
const FOLDER = join(__dirname, 'histories');

/** Names of all files, `<scenario>_<version>...`. */
export const historyFiles = (): string[] => readdirSync(FOLDER).sort();

export const scenarioOf = (file: string): string => file.slice(0, file.lastIndexOf('_'));

export function historyText(file: string): string {
  const bytes = readFileSync(join(FOLDER, file));
  return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
}

export const readHistory = (file: string): History =>
  History.fromObject(JSON.parse(historyText(file)) as Record<string, unknown>);

/** @returns the path of the file */
export function writeHistory(name: string, history: History): string {
  const path = join(FOLDER, `${name}.json.gz`);
  writeFileSync(path, gzipSync(toText(history), { level: 9 }));
  return path;
}
