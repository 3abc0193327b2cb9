import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { preparePlaces } from '../../local/aws/places';
import { MASTER } from './stand-in';

/** What PostgreSQL says to a role that lacks a right. */
const DENIED = /ERROR: {2}(permission denied|must be (superuser|owner|member|able to)|.*\bsuperuser)/;

/** What the product tries though it may be refused, and who takes the refusal. */
const HANDLED: readonly RegExp[] = [
  // prepare-pause.ts: without it the pause is not as short; pg_checkpoint came with 15.
  /must be superuser to do CHECKPOINT/,
  // check-privileges.ts tries it, and says what to do instead; RDS allows it on every major, the stand-in from 15 on.
  /permission denied to set parameter "session_replication_role"/,
];

/**
 * Statements of the master user that a server of an embedded AWS has refused for a missing right, with the line of its log; without those that are expected to be
 * refused now and then. The product needs no more than RDS's master user has, so there are none.
 */
export function deniedIn(stateDir: string): string[] {
  const { serversDir } = preparePlaces(stateDir);
  const logs = readdirSync(serversDir).map((name) => join(serversDir, name, 'log', 'error'));
  return logs.flatMap((directory) =>
    readdirSync(directory)
      .flatMap((file) => readFileSync(join(directory, file), 'utf8').split('\n'))
      .filter((line) => line.includes(`:${MASTER.MasterUsername}@`) && DENIED.test(line))
      .filter((line) => !HANDLED.some((one) => one.test(line))),
  );
}
