import type { PositionEvidence, PositionSilence } from '../../plan/position';
import { queryOne, queryRows, type Session } from '../postgres/session';

/**
 * `rds_tools.logical_seed_lsn()` of a restored RDS instance: the position that RDS itself remembers. Aurora has no such
 * function. The extension is dropped again if it was not there.
 */
export async function fromSeedFunction(target: Session): Promise<PositionEvidence | PositionSilence> {
  const kind = 'seed-function';
  const [extension] = await queryRows<{ installed_version: string | null }>(
    target,
    `SELECT installed_version FROM pg_available_extensions WHERE name = 'rds_tools'`,
  );
  if (!extension) return { kind, why: 'the extension rds_tools is not available' };
  await target.query('BEGIN');
  try {
    await target.query('CREATE EXTENSION IF NOT EXISTS rds_tools');
    const { lsn } = await queryOne<{ lsn: string | null }>(target, 'SELECT rds_tools.logical_seed_lsn()::text AS lsn');
    if (!lsn) return { kind, why: 'rds_tools.logical_seed_lsn() is NULL: not restored from a snapshot' };
    return { kind, exactly: lsn, found: `rds_tools.logical_seed_lsn() = ${lsn}` };
  } finally {
    await target.query('ROLLBACK');
  }
}
