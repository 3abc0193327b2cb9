import type { SourceFacts } from '../../plan/checks';
import type { SettingsReport } from '../../plan/report';
import { act } from '../act';
import type { Migration } from '../migration';
import type { Captured } from './capture';
import type { Cloned } from './clone';

/** What the comparison of settings came to. */
function settingsNote({ instances, roleSettings }: SettingsReport): string {
  const unknown = instances.flatMap(({ notCompared }) => notCompared.map(({ field }) => field));
  const fields = instances.reduce((sum, { compared }) => sum + compared, 0);
  return `${fields} fields of the instance and ${roleSettings} roles and their settings are the same${unknown.length > 0 ? `; not compared: ${[...new Set(unknown)].join(', ')}` : ''}`;
}

/** Reads where the clone ends, quarantines it, and lets it subscribe from exactly there. */
export async function attach(
  migration: Migration,
  { databases }: SourceFacts,
  { mark, slots }: Captured,
  { quarantined }: Cloned,
): Promise<{ switchedOff: boolean }> {
  const input = { ...migration.ref, databases };

  // Before the quarantine: the copied slots that it drops are evidence for the position.
  const position = await migration.step('position', async (note) => {
    const found = await act('readPosition', { ...migration.ref, slots });
    note(`${found.lsn}, by ${found.evidence.map(({ kind }) => kind).join(', ')}`);
    return found;
  });
  migration.report.position = position;

  const switchedOff = await migration.step('quarantine', async (note) => {
    const { preparedTransactions, slots: dropped, ...off } = await act('quarantineClone', { ...input, mark });
    // Static parameters kept it all from starting; nobody uses the target yet.
    if (quarantined) await act('endQuarantine', migration.ref);
    note(
      [
        `${preparedTransactions.length} prepared transactions rolled back, ${dropped.length} copied slots dropped`,
        `off until the switch: ${off.subscriptions.length} subscriptions, ${off.cronJobs.length} cron jobs, ${off.triggers.length} triggers of apply`,
      ].join('; '),
    );
    return off.subscriptions.length + off.cronJobs.length + off.triggers.length > 0;
  });

  await migration.step('subscribe', async (note) => {
    migration.undo.register('subscriptions', () => act('dropSubscriptions', input));
    await act('createSubscriptions', { ...input, position: position.lsn });
    await act('enableSubscriptions', { ...input, position: position.lsn });
    note(`from ${position.lsn}`);
  });

  // Behind all that has to be fast: the sooner the target subscribes, the less WAL the source keeps.
  await migration.step('settings', async (note) => {
    const settings = await act('applySettings', migration.ref);
    migration.report.settings = settings;
    note(settingsNote(settings));
  });

  if (migration.plan.soak.wayBack === 'none') {
    migration.skip('way-back', 'the plan wants none');
  } else {
    await migration.step('way-back', async (note) => {
      migration.undo.register('way back', () => act('removeWayBack', input));
      await act('prepareWayBack', input);
      note(`${migration.plan.source.instance} can connect to ${migration.plan.target.instance}`);
    });
  }
  return { switchedOff };
}
