/** Fetches what would otherwise be fetched by the first demo or test that needs it. */
import { findPgBouncer } from './pgbouncer';
import { messageOf, toStderr } from './report';
import { findTemporalCli } from './temporal-cli';

async function main(): Promise<void> {
  for (const [what, find] of [
    ['Temporal CLI', findTemporalCli],
    ['PgBouncer', findPgBouncer],
  ] as const) {
    try {
      const { path, version, source } = await find();
      toStderr(`${what} ${version} (${source}): ${path}`);
    } catch (error) {
      toStderr(messageOf(error));
      process.exitCode = 1;
    }
  }
}

void main();
