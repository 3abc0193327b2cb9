import { join } from 'node:path';
import { findTool, triedLines, type FoundTool, type ToolSource, type TriedSource } from './find-tool';
import { CACHE } from './paths';
import { fromDebianPackages } from './pgbouncer/debian-packages';
import { fromCache, fromPath, fromVariable } from './pgbouncer/installed';
import { toStderr, type Report } from './report';
import { runCommand } from './run-command';
import { isAtLeast, PGBOUNCER_MINIMUM } from './versions';

export interface FindPgBouncerOptions {
  readonly sources?: readonly ToolSource[];
  readonly report?: Report;
  /** Asks an executable for its version; throws if it doesn't run. */
  readonly probe?: (path: string) => Promise<string>;
}

/** No source had it; the message lists what was tried and what to install. */
export class PgBouncerNotFound extends Error {
  override readonly name = 'PgBouncerNotFound';
  constructor(readonly tried: readonly TriedSource[]) {
    super(`PgBouncer was not found. Tried, in this order:\n${triedLines(tried)}`);
  }
}

/** The order in which we look: what the user has, what we have, what can be fetched. */
export function pgbouncerSources(cache = join(CACHE, 'pgbouncer')): ToolSource[] {
  return [fromVariable(process.env), fromPath(process.env), fromCache(cache), fromDebianPackages(cache)];
}

/** Finds PgBouncer, or fetches it. Each failure moves on to the next source. */
export async function findPgBouncer({
  sources = pgbouncerSources(),
  report = toStderr,
  probe = versionOf,
}: FindPgBouncerOptions = {}): Promise<FoundTool> {
  const tooOld = (version: string) => (isAtLeast(version, PGBOUNCER_MINIMUM) ? undefined : PGBOUNCER_MINIMUM);
  const found = await findTool({ what: 'PgBouncer', sources, report, probe, tooOld });
  if ('path' in found) return found;
  throw new PgBouncerNotFound(found);
}

/** What `pgbouncer --version` says: `PgBouncer 1.18.0`, and its libraries below. */
async function versionOf(path: string): Promise<string> {
  const { stdout } = await runCommand(path, ['--version'], { timeoutMs: 20_000 });
  const version = /^PgBouncer (?:version )?(\d[\w.]*)/im.exec(stdout)?.[1];
  if (!version) throw new Error(`${path} --version says: ${stdout.trim()}`);
  return version;
}
