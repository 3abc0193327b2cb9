import { existsSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PostgresServer } from '../../postgres/server';
import type { InstanceRecord, RdsState } from './model';

/** How often a slot is looked at whose reader is ending. */
const POLL_MS = 20;

/** The role by which replicas read, as on RDS; only over the Unix sockets, which nobody else can reach. */
export const REPLICA_ROLE = 'rdsrepladmin';

/** The read replicas of an instance. */
export const replicasOf = ({ instances }: RdsState, { resourceId }: InstanceRecord): InstanceRecord[] =>
  Object.values(instances).filter(({ replicaOf }) => replicaOf === resourceId);

/** The primary of a read replica. */
export const primaryOf = ({ instances }: RdsState, { replicaOf }: InstanceRecord): InstanceRecord | undefined =>
  replicaOf === undefined ? undefined : Object.values(instances).find(({ resourceId }) => resourceId === replicaOf);

/** The name that RDS gives to the slot of a replica. */
const slotOf = ({ region, resourceId }: InstanceRecord): string =>
  `rds_${region}_${resourceId}`.toLowerCase().replaceAll('-', '_').slice(0, 63);

/** What makes a server stream from its primary. */
export function replicaSettings(
  primarySocketDir: string,
  primary: InstanceRecord,
  replica: InstanceRecord,
): Record<string, string> {
  return {
    primary_conninfo: `host=${primarySocketDir} port=${primary.port} user=${REPLICA_ROLE} application_name=${replica.id}`,
    primary_slot_name: slotOf(replica),
    hot_standby: 'on',
  };
}

/** Makes the primary keep WAL for the replica from now on. */
export async function createReplicaSlot(primary: PostgresServer, replica: InstanceRecord): Promise<void> {
  await primary.withSession((client) =>
    client.query(
      `SELECT pg_create_physical_replication_slot($1::name, true)
        WHERE NOT EXISTS (SELECT 1 FROM pg_replication_slots WHERE slot_name = $1::name)`,
      [slotOf(replica)],
    ),
  );
}

export async function dropReplicaSlot(primary: PostgresServer, replica: InstanceRecord): Promise<void> {
  await primary.withSession(async (client) => {
    await client.query(
      'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active',
      [slotOf(replica)],
    );
    for (let left = true; left; await sleep(POLL_MS)) {
      const { rows } = await client.query<{ active: boolean }>(
        'SELECT active FROM pg_replication_slots WHERE slot_name = $1',
        [slotOf(replica)],
      );
      left = rows[0]?.active ?? false;
    }
    await client.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1', [
      slotOf(replica),
    ]);
  });
}

/** Turns an image into a standby: it recovers, and then goes on with what the primary sends. Slots of the primary stay there. */
export async function becomeStandby(dataDir: string): Promise<void> {
  const slots = join(dataDir, 'pg_replslot');
  for (const name of existsSync(slots) ? await readdir(slots) : []) {
    await rm(join(slots, name), { recursive: true, force: true });
  }
  await writeFile(join(dataDir, 'standby.signal'), '', { mode: 0o600 });
}

/** A restored instance is nobody's replica, and has none: RDS's own slots go. */
export async function forgetReplication(dataDir: string): Promise<void> {
  await rm(join(dataDir, 'standby.signal'), { force: true });
  const slots = join(dataDir, 'pg_replslot');
  for (const name of existsSync(slots) ? await readdir(slots) : []) {
    if (name.startsWith('rds_')) await rm(join(slots, name), { recursive: true, force: true });
  }
}

/** Makes a standby a server of its own. */
export async function promote(replica: PostgresServer): Promise<void> {
  await replica.withSession((client) => client.query('SELECT pg_promote(true, 60)'));
}
