import { escapeIdentifier } from 'pg';
import { ONE_AT_A_TIME } from '../../postgres/rds-engine';
import { REPLICA_ROLE } from './replication';
import type { ServiceSession } from './service-session';

/** Roles whose right to replicate differs from their membership in `rds_replication`. Superusers may anyway. */
const DIFFERING = `
  WITH RECURSIVE members(oid) AS (
    SELECT oid FROM pg_roles WHERE rolname = 'rds_replication'
    UNION
    SELECT m.member FROM pg_auth_members m JOIN members ON m.roleid = members.oid
  )
  SELECT r.rolname AS role, NOT r.rolreplication AS allow
  FROM pg_roles r
  WHERE NOT r.rolsuper AND r.rolname <> '${REPLICA_ROLE}' AND r.rolcanlogin AND r.rolreplication IS DISTINCT FROM (r.oid IN (SELECT oid FROM members))`;

/**
 * On RDS the right to replicate comes with membership in `rds_replication`; plain PostgreSQL knows only the attribute REPLICATION, which isn't
 * inherited. So the attribute follows the membership, a moment later.
 */
export class ReplicationRoles {
  constructor(private readonly session: ServiceSession) {}

  reconcile(): Promise<void> {
    return this.session.use(async (client) => {
      const { rows } = await client.query<{ role: string; allow: boolean }>(DIFFERING);
      for (const { role, allow } of rows) {
        const alter = `ALTER ROLE ${escapeIdentifier(role)} ${allow ? 'REPLICATION' : 'NOREPLICATION'}`;
        await client.query(`BEGIN; ${ONE_AT_A_TIME}; ${alter}; COMMIT`);
      }
    });
  }
}
