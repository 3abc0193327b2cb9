/** Versions of the tools that we fetch; nothing else spells them. */
export const TEMPORAL_CLI_VERSION = '1.9.1';

/** `go install` refuses later ones: their go.mod replaces a module that was never published. */
export const TEMPORAL_CLI_GO_VERSION = '1.5.1';

/** The oldest Temporal CLI on PATH that will do: its server knows updates and worker versioning, its UI shows current details. */
export const TEMPORAL_CLI_MINIMUM = '1.5.0';

/** The oldest PgBouncer that will do: admin users that log in with SCRAM (1.11), server connections by SCRAM, `RECONNECT`. */
export const PGBOUNCER_MINIMUM = '1.12.0';

/** Compares dotted numbers; what follows a dash is ignored. */
export function isAtLeast(version: string, minimum: string): boolean {
  const numbers = (text: string): number[] => (text.split('-')[0] ?? '').split('.').map(Number);
  const [have, want] = [numbers(version), numbers(minimum)];
  for (const [index, wanted] of want.entries()) {
    const found = have[index] ?? 0;
    if (found !== wanted) return found > wanted;
  }
  return true;
}
