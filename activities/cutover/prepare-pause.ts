import { renames } from '../../plan/instance-names';
import { subscriptionName } from '../../plan/names';
import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { syncLargeObjects } from '../carry/large-objects';
import { dropPublication } from '../postgres/create-publications';
import { type Access, accessTo, inEachDatabase, queryRows, withSession } from '../postgres/session';
import { confirmAtOnce } from '../postgres/subscriptions';
import { closeAgainSql, closedDatabases } from '../quarantine/read-only';
import { reportProgress } from '../heartbeat';
import { presentNames, readNames } from '../rds/present-names';
import { isUnderWay } from '../rds/rename-instances';
import { throwIfCancelled, waitUntil } from '../wait';
import { prepareDownstreamSlots } from '../way-back/downstream-slots';
import { renewWayBack } from '../way-back/renew-way-back';
import { copySequences, listSequences } from './sequences';

const STEP = { step: 'prepare-pause' } as const;
const CHECKPOINT_TIMEOUT_MS = 1_800_000;

/**
 * What the pause would otherwise wait for: the way back is ready to begin, large objects and sequences are the same as far as they can be, apply confirms each
 * commit at once, its worker runs with that setting, and both sides have made a checkpoint. Shortly before the pause, after its approval.
 */
export async function preparePause(
  deps: Dependencies,
  given: MigrationRef & { databases: readonly string[] },
): Promise<void> {
  const input = await presentNames(deps, given);
  // A pause that was not over was tried again: it goes forward.
  if (renames(input.plan) && isUnderWay(input, await readNames(awsOf(deps, input), input))) return;
  const [source, target] = [await accessTo(deps, input, 'source'), await accessTo(deps, input, 'target')];
  const [first] = input.databases;
  if (first === undefined) return;
  // A pause that was given up may have left the target open for writes.
  await withSession(target, { ...STEP, database: first }, async (session) => {
    const closed = await closedDatabases(session, input.id);
    if (closed.length > 0) await session.query(closeAgainSql(closed));
  });
  if (input.direction !== 'back') {
    if (input.plan.soak.wayBack === 'replicate') await renewWayBack(deps, input);
    // Nobody reads it then, and nobody guards the target: a new table without a key would take no UPDATE there.
    else await inEachDatabase(target, input.databases, STEP, (session) => dropPublication(session, input.id));
    if (input.plan.carry.slots === 'recreate') await prepareDownstreamSlots(deps, input);
  }
  if (input.plan.carry.largeObjects === 'copy') await bringLargeObjects(source, target, input);
  await bringSequences(source, target, input);
  const options = { ...STEP, statementTimeoutMs: CHECKPOINT_TIMEOUT_MS };
  await Promise.all([source, target].map((access) => inEachDatabase(access, [first], options, checkpoint)));
  await inEachDatabase(target, input.databases, options, async (session, database) => {
    await confirmAtOnce(session, input, database);
    await waitUntil(async () => {
      const receiving = await queryRows(
        session,
        'SELECT 1 FROM pg_stat_subscription WHERE subname = $1 AND pid IS NOT NULL AND received_lsn IS NOT NULL',
        [subscriptionName(input, database)],
      );
      return receiving.length > 0 ? { done: undefined } : { waitingFor: `worker of ${database}` };
    });
  });
}

/** So that the pause moves only those that change from here on. */
async function bringLargeObjects(
  source: Access,
  target: Access,
  { id, databases }: MigrationRef & { databases: readonly string[] },
): Promise<void> {
  const options = { step: 'large-objects', statementTimeoutMs: CHECKPOINT_TIMEOUT_MS };
  for (const database of databases) {
    reportProgress(() => ({ waitingFor: `large objects of ${database}` }));
    await withSession(source, { ...options, database, readOnly: true }, (from) =>
      withSession(target, { ...options, database }, async (to) => {
        await syncLargeObjects(from, to, id, throwIfCancelled);
      }),
    );
  }
}

/** So that the pause sets only those that gave values from here on: to set 10,000 takes 0.3 s. */
async function bringSequences(
  source: Access,
  target: Access,
  { id, databases, plan }: MigrationRef & { databases: readonly string[] },
): Promise<void> {
  for (const database of databases) {
    const options = { step: 'sequences', database, statementTimeoutMs: CHECKPOINT_TIMEOUT_MS };
    await withSession(source, { ...options, readOnly: true }, (from) =>
      withSession(target, options, async (to) => {
        await copySequences(from, to, await listSequences(from, id), plan.carry.sequenceMargin);
      }),
    );
  }
}

/** rds_superuser may do so from PostgreSQL 15 on (pg_checkpoint); where not, the pause just isn't as short. */
async function checkpoint(session: { query(sql: string): Promise<unknown> }): Promise<void> {
  await session.query('CHECKPOINT').catch(() => undefined);
}
