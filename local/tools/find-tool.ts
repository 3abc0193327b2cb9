import { messageOf, type Report } from './report';

/** One way to get at a program. */
export interface ToolSource {
  readonly name: string;
  /** What a person can do so that this way works. */
  readonly remedy: string;
  /** The path of the executable; undefined if this way doesn't apply here; throws if it failed. */
  find(report: Report): Promise<string | undefined>;
}

/** A program that was found and runs. */
export interface FoundTool {
  readonly path: string;
  readonly version: string;
  /** The name of the source that had it. */
  readonly source: string;
}

/** What was tried in vain, and what would help. */
export interface TriedSource {
  readonly source: string;
  readonly why: string;
  readonly remedy: string;
}

/** Looks for a program. */
export interface ToolSearch {
  /** What people call it. */
  readonly what: string;
  readonly sources: readonly ToolSource[];
  readonly report: Report;
  /** Asks an executable for its version; throws if it doesn't run. */
  readonly probe: (path: string) => Promise<string>;
  /** The oldest version that will do, if this one is too old. */
  readonly tooOld: (version: string) => string | undefined;
}

/** Asks the sources in their order. Each failure moves on to the next; if all fail, they are what is answered. */
export async function findTool(search: ToolSearch): Promise<FoundTool | readonly TriedSource[]> {
  const { what, sources, report, probe, tooOld } = search;
  const tried: TriedSource[] = [];
  for (const source of sources) {
    const failed = (why: string): void => void tried.push({ source: source.name, why, remedy: source.remedy });
    try {
      const path = await source.find(report);
      if (path === undefined) {
        failed('not there');
        continue;
      }
      const version = await probe(path);
      const minimum = tooOld(version);
      if (minimum) throw new Error(`${path} is ${version}, wanted at least ${minimum}`);
      return { path, version, source: source.name };
    } catch (error) {
      failed(messageOf(error));
      report(`${what}: ${source.name}: ${messageOf(error)}; trying the next`);
    }
  }
  return tried;
}

/** What was tried, and what to do, a line each. */
export function triedLines(tried: readonly TriedSource[]): string {
  return tried.flatMap(({ source, why, remedy }) => [`  ${source}: ${why}`, `      remedy: ${remedy}`]).join('\n');
}
