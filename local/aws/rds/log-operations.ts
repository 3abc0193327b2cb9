import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { AwsError } from '../errors';
import { paginate } from '../pagination';
import type { Answer } from '../query-protocol';
import type { InstanceRecord } from './model';
import type { RdsCall } from './request';
import { requireInstance } from './request';
import { placesOf } from './server-configuration';

/** AWS's limits of one portion. */
const LARGEST_PORTION_BYTES = 1024 * 1024;
const MOST_LINES = 10_000;

interface LogFile {
  /** As AWS names it. */
  readonly name: string;
  readonly path: string;
  readonly size: number;
  readonly lastWritten: number;
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBLogFiles.html */
export function describeDBLogFiles(call: RdsCall): Answer {
  const { parameters } = call;
  const instance = requireInstance(call, parameters.required('DBInstanceIdentifier'));
  const contains = parameters.text('FilenameContains');
  const writtenSince = parameters.integer('FileLastWritten');
  const largerThan = parameters.integer('FileSize');
  const files = listLogFiles(call, instance).filter(
    ({ name, size, lastWritten }) =>
      (contains === undefined || name.includes(contains)) &&
      (writtenSince === undefined || lastWritten >= writtenSince) &&
      (largerThan === undefined || size >= largerThan),
  );
  const page = paginate(parameters, files, ({ name }) => name);
  return {
    DescribeDBLogFiles: page.items.map(({ name, size, lastWritten }) => ({
      LogFileName: name,
      LastWritten: lastWritten,
      Size: size,
    })),
    Marker: page.marker,
  };
}

/**
 * https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DownloadDBLogFilePortion.html: from the marker on (`0` is the beginning); without one, the last lines.
 * A portion ends at the end of a line, after `NumberOfLines`, 10,000 lines or 1 MB.
 */
export function downloadDBLogFilePortion(call: RdsCall): Answer {
  const { parameters } = call;
  const instance = requireInstance(call, parameters.required('DBInstanceIdentifier'));
  const name = parameters.required('LogFileName');
  const file = listLogFiles(call, instance).find((one) => one.name === name);
  if (!file) throw new AwsError('DBLogFileNotFoundFault', `DBLog File: ${name}, is not found on the DB instance`, 404);
  const marker = parameters.text('Marker');
  const lines = Math.min(parameters.integer('NumberOfLines') ?? MOST_LINES, MOST_LINES);
  const handle = openSync(file.path, 'r');
  try {
    const { size } = fstatSync(handle);
    const start = marker === undefined || marker === '' ? startOfTail(handle, size, lines) : offsetOf(marker);
    const portion = cut(readBytes(handle, start, Math.min(size - start, LARGEST_PORTION_BYTES)), lines);
    const end = start + portion.length;
    return { LogFileData: portion.toString('utf8'), Marker: `1:${end}`, AdditionalDataPending: end < size };
  } finally {
    closeSync(handle);
  }
}

function listLogFiles({ context }: RdsCall, instance: InstanceRecord): LogFile[] {
  const { logDir } = placesOf(context.places, instance);
  // `postgres.log` is what the server says before its log collector runs; RDS has it under the same name.
  const found = [
    { name: 'error/postgres.log', path: join(logDir, 'postgres.log') },
    ...listIfThere(join(logDir, 'error')).map((name) => ({ name: `error/${name}`, path: join(logDir, 'error', name) })),
  ];
  return found.flatMap(({ name, path }) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat ? [{ name, path, size: stat.size, lastWritten: Math.trunc(stat.mtimeMs) }] : [];
  });
}

function listIfThere(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function offsetOf(marker: string): number {
  const offset = /^(?:\d+:)?(\d+)$/.exec(marker)?.[1];
  if (offset === undefined) throw new AwsError('InvalidParameterValue', `Invalid value for Marker: ${marker}`);
  return Number(offset);
}

function startOfTail(handle: number, size: number, lines: number): number {
  const from = Math.max(0, size - LARGEST_PORTION_BYTES);
  const bytes = readBytes(handle, from, size - from);
  let at = bytes.length;
  for (let found = 0; at > 0; at -= 1) {
    if (bytes[at - 1] === 0x0a && at < bytes.length && ++found === lines) break;
  }
  return from + at;
}

function cut(bytes: Buffer, lines: number): Buffer {
  let end = 0;
  for (let count = 0; count < lines; count += 1) {
    const next = bytes.indexOf(0x0a, end);
    if (next < 0) return end === 0 || bytes.length < LARGEST_PORTION_BYTES ? bytes : bytes.subarray(0, end);
    end = next + 1;
  }
  return bytes.subarray(0, end);
}

function readBytes(handle: number, start: number, length: number): Buffer {
  const buffer = Buffer.alloc(Math.max(0, length));
  return buffer.subarray(0, readSync(handle, buffer, 0, buffer.length, start));
}
