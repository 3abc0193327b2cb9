import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { accessTo, queryOne, withSession } from '../postgres/session';
import { requireInstance } from './find-instance';
import { rebootIntoGroup } from './reboot-into-group';
import { requireTheSource } from './require-same';

/**
 * Reboots the source unless its parameter group is in force already, and reads back what `wal_level` it came up with.
 * A second run after a reboot finds the group in force and doesn't reboot again.
 */
export async function rebootSource(deps: Dependencies, ref: MigrationRef): Promise<{ walLevel: string }> {
  const aws = awsOf(deps, ref);
  const { instance } = ref.plan.source;
  requireTheSource(await requireInstance(aws, instance), ref, 'Keyshift does not reboot it.');
  await rebootIntoGroup(aws, instance);
  const access = await accessTo(deps, ref, 'source');
  const { wal_level: walLevel } = await withSession(
    access,
    { step: 'reboot', database: 'postgres', readOnly: true },
    (session) => queryOne<{ wal_level: string }>(session, `SELECT current_setting('wal_level') AS wal_level`),
  );
  return { walLevel };
}
