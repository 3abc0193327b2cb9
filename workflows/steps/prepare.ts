import type { SourceFacts } from '../../plan/checks';
import { act } from '../act';
import type { Activities } from '../../activities';
import type { Migration } from '../migration';

export type PreparedParameters = Awaited<ReturnType<Activities['prepareParameters']>>;

/** Parameter group, reboot if it needs one, replication role. */
export async function prepare(migration: Migration, source: SourceFacts): Promise<PreparedParameters> {
  const { ref, undo } = migration;

  const parameters = await migration.step('parameters', async (note) => {
    undo.register('parameter group of the source', () => undoParameters(migration, source));
    const prepared = await act('prepareParameters', ref);
    note(
      prepared.group
        ? `group ${prepared.group} in place of ${prepared.previousGroup}${prepared.raised ? `, with ${prepared.raised.join(', ')}` : ''}`
        : `${prepared.previousGroup} does`,
    );
    return prepared;
  });

  if (parameters.rebootNeeded) {
    await migration.step('reboot', async (note) => {
      await migration.gate('reboot-source', [
        `${source.instance} has to be rebooted once, so that rds.logical_replication applies`,
        'a reboot takes 10 to 60 s; connections end, with Multi-AZ, too: it restarts where it is',
      ]);
      const { walLevel } = await act('rebootSource', ref);
      note(`wal_level = ${walLevel}`);
    });
  } else {
    migration.skip('reboot', 'nothing waits for a reboot');
  }

  await migration.step('access', async (note) => {
    undo.register('replication role and its secret', () => act('dropAccess', ref));
    const { role } = await act('createAccess', ref);
    note(`role ${role}`);
  });
  return parameters;
}

/** Taking the old group back waits for a reboot, too; whether that is made now is for a person to say. */
async function undoParameters(migration: Migration, source: SourceFacts): Promise<void> {
  const { rebootNeeded, slots, groupStays } = await act('restoreParameters', {
    ...migration.ref,
    previousGroup: source.parameterGroup,
  });
  if (groupStays) {
    const why = `${migration.plan.target.instance} uses it; it can be deleted behind that`;
    migration.report.stays.push({ what: 'parameter group', name: groupStays, why });
  }
  if (!rebootNeeded) return;
  const pending = (why: string) => migration.report.stays.push({ what: 'pending reboot', name: source.instance, why });
  const applies = `parameter group ${source.parameterGroup} applies with the next reboot`;
  if (slots.length > 0) {
    const warning = `${applies}; drop its logical slots first, or it does not start: ${slots.join(', ')}`;
    migration.notice(`${source.instance}: ${warning}`);
    pending(warning);
    return;
  }
  // Nobody waits for a migration that ended by itself; what it leaves pending is in the report.
  if (migration.ruined && migration.plan.gates['undo-reboot'].approval) {
    migration.notice(`${source.instance}: ${applies}`);
    pending(applies);
    return;
  }
  const answer = await migration.gate(
    'undo-reboot',
    [`${source.instance}: ${applies}`, 'approve: it is rebooted now; reject: it stays pending-reboot'],
    { rejectable: true },
  );
  if (answer.decision === 'approved') await act('rebootSource', migration.ref);
  else pending(applies);
}
