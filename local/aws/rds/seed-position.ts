import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { ControlFile } from '../../postgres/control-file';
import type { PostgresServer } from '../../postgres/server';

/**
 * Where a clone ends in the WAL of its source: the end of the last record that its first start replayed (facts.md, section 1). Must be asked in that
 * first start. The image of a stopped server isn't recovered at all: there the last checkpoint is right.
 */
export async function readSeedPosition(server: PostgresServer, control: ControlFile, log: Logger): Promise<string> {
  if (control.cleanlyStopped) return control.checkpointLsn;
  const replayed = await server.withSession(async (client) => {
    const { rows } = await client.query<{ lsn: string | null }>('SELECT pg_last_wal_replay_lsn() AS lsn');
    return rows[0]?.lsn ?? control.checkpointLsn;
  });
  const logged = endOfWalInLog(join(server.places.logDir, 'error'));
  if (logged !== undefined && logged !== replayed) {
    log.error({ replayed, logged }, 'the log names another end of WAL than the server');
  }
  return replayed;
}

/** The first `invalid record length at E` of the logs; it isn't always there. */
function endOfWalInLog(directory: string): string | undefined {
  for (const name of readdirSync(directory).sort()) {
    const line = /invalid record length at ([0-9A-F]+\/[0-9A-F]+)/.exec(readFileSync(join(directory, name), 'utf8'));
    if (line) return line[1];
  }
  return undefined;
}
