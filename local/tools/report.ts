/** Takes one line that tells a person what is going on. */
export type Report = (line: string) => void;

/** Lines for people go to stderr: stdout belongs to results. */
export const toStderr: Report = (line) => {
  process.stderr.write(`${line}\n`);
};

export const silently: Report = () => undefined;

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
