import type { DBInstance } from '@aws-sdk/client-rds';
import type { Lsn } from '../../plan/lsn';
import { type Access, queryOne, withSession } from '../postgres/session';
import { endpointOf } from '../rds/find-instance';

/** A replica has the users of its primary. */
export const accessToReplica = (primary: Access, replica: DBInstance): Access => ({
  ...primary,
  endpoint: endpointOf(replica),
});

/** WAL of the primary that the replica has not replayed, in bytes; after a position that was read before, if one is given. */
export async function replicaLagBytes(primary: Access, replica: DBInstance, upTo?: Lsn): Promise<number> {
  const lsn = upTo ?? (await primaryPosition(primary));
  const options = { step: 'replicas', database: 'postgres', readOnly: true };
  const { bytes } = await withSession(accessToReplica(primary, replica), options, (session) =>
    queryOne<{ bytes: string }>(
      session,
      `SELECT greatest(0, pg_wal_lsn_diff($1::pg_lsn, coalesce(pg_last_wal_replay_lsn(), '0/0')))::text AS bytes`,
      [lsn],
    ),
  );
  return Number(bytes);
}

/** Up to where the primary has written. */
export async function primaryPosition(primary: Access): Promise<Lsn> {
  const { lsn } = await withSession(primary, { step: 'replicas', database: 'postgres', readOnly: true }, (session) =>
    queryOne<{ lsn: Lsn }>(session, 'SELECT pg_current_wal_flush_lsn()::text AS lsn'),
  );
  return lsn;
}
