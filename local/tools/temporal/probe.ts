import { runCommand } from '../run-command';
import { isAtLeast, TEMPORAL_CLI_MINIMUM } from '../versions';

/** The version of `temporal`; what `go install` builds calls itself 0.0.0-DEV. */
export async function versionOf(path: string): Promise<string> {
  const { stdout } = await runCommand(path, ['--version'], { timeoutMs: 20_000 });
  const version = /version (\S+)/.exec(stdout)?.[1];
  if (!version) throw new Error(`${path} --version says: ${stdout.trim()}`);
  return version;
}

/** Whether that version will do. A development build is taken: whoever built it chose its version. */
export function isNewEnough(version: string): boolean {
  return version.startsWith('0.0.0-DEV') || isAtLeast(version, TEMPORAL_CLI_MINIMUM);
}
