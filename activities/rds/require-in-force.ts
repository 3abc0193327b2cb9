import { finalFailure } from '../../plan/failures';
import type { Dependencies, MigrationRef, Side } from '../dependencies';
import { accessTo, queryOne, withSession } from '../postgres/session';

/** What a server runs with, whatever its parameter group says. */
export interface InForce {
  readonly walLevel: string;
  /** `max_logical_replication_workers`. */
  readonly logicalWorkers: number;
}

/** Reads from `pg_settings` what the steps after the restore rely on. */
export async function readInForce(deps: Dependencies, ref: MigrationRef, side: Side): Promise<InForce> {
  const options = { step: 'restore', database: 'postgres', readOnly: true };
  return withSession(await accessTo(deps, ref, side), options, (session) =>
    queryOne<InForce>(
      session,
      `SELECT max(setting) FILTER (WHERE name = 'wal_level') AS "walLevel",
              (max(setting) FILTER (WHERE name = 'max_logical_replication_workers'))::int AS "logicalWorkers"
         FROM pg_settings`,
    ),
  );
}

/**
 * Verifies by SQL that the target runs with what RDS says of its parameter group: it decodes as the source does, and in quarantine it has no workers that a
 * subscription of the snapshot could start with.
 * @throws ApplicationFailure ResourceFailed
 */
export async function requireInForce(
  deps: Dependencies,
  ref: MigrationRef,
  { quarantined }: { readonly quarantined: boolean },
): Promise<void> {
  const [source, target] = await Promise.all([readInForce(deps, ref, 'source'), readInForce(deps, ref, 'target')]);
  const { instance } = ref.plan.target;
  const wrong = [
    ...(target.walLevel === source.walLevel
      ? []
      : [`wal_level is ${target.walLevel}, on the source ${source.walLevel}`]),
    ...(quarantined && target.logicalWorkers > 0
      ? [
          `max_logical_replication_workers is ${target.logicalWorkers}: subscriptions of the snapshot may be running there`,
        ]
      : []),
  ];
  if (wrong.length === 0) return;
  throw finalFailure(
    'ResourceFailed',
    `DB instance ${instance} does not run with its parameter group, though RDS calls it in-sync: ${wrong.join('; ')}. Reboot it, then send retry: aws rds reboot-db-instance --db-instance-identifier ${instance}`,
  );
}
