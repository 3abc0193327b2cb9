import type { SourceFacts } from '../../plan/checks';
import { act } from '../act';
import { bytes } from '../../plan/format';
import { equalRowsText, notProvenLines } from '../../plan/report';
import type { Migration } from '../migration';
import { shortList } from './surprises';

/** Readers need them from the moment of the switch on, so they are made before it. */
async function replicas(migration: Migration): Promise<void> {
  const { report, ref, undo } = migration;
  const { settings } = report;
  if (!settings || settings.replicas.length === 0) return migration.skip('replicas', 'the source has none');
  await migration.step('replicas', async (note) => {
    undo.register('read replicas of the target', () => act('deleteReplicas', ref), { keptByRollback: true });
    const { instances, left } = await act('createReplicas', ref);
    report.settings = { ...settings, instances: [...settings.instances, ...instances] };
    for (const one of left) migration.notice(`read replica not rebuilt: ${one}`);
    note(`${instances.map(({ instance, like }) => `${instance} for ${like}`).join(', ') || 'none'}`);
  });
}

/** Catch up, warm up, compare while both sides live. */
export async function follow(migration: Migration, { databases }: SourceFacts): Promise<void> {
  const input = { ...migration.ref, databases };

  await migration.step('catch-up', async (note) => {
    migration.progress.lag = await act('waitForCatchUp', input);
    note(`lag ${bytes(migration.progress.lag.bytes)}`);
  });

  await replicas(migration);

  if (migration.plan.carry.materializedViews === 'keep') {
    migration.skip('refresh', 'the plan leaves it out');
  } else {
    await migration.step('refresh', async (note) => {
      const { refreshed, left, leftCount = left.length } = await act('refreshViews', input);
      for (const { view, why } of left) migration.notice(`${view} keeps the contents of the snapshot: ${why}`);
      note(`${refreshed} materialized views refreshed, ${leftCount} could not be`);
    });
  }

  await migration.step('warm-up', async (note) => {
    const { relations, blocks, notRead } = await act('warmTarget', input);
    note(`${blocks} blocks of ${relations} relations read${notRead ? `; ${notRead}` : ''}`);
  });

  if (!migration.plan.verify.beforeCutover) return migration.skip('verify', 'the plan leaves it out');
  await migration.step('verify', async (note) => {
    const compared = await act('verifyContents', input);
    migration.report.verify = compared;
    const unread = compared.notProvenTables ? `, ${compared.notProvenTables} tables could not be compared` : '';
    note(`${compared.rows} rows of ${compared.tables} tables agree, ${compared.undecided} undecided${unread}`);
    const lines = notProvenLines(compared);
    if (lines.length > 0) migration.notice(`NOT COMPARED: ${shortList(lines, lines.length)}`);
    const equal = equalRowsText(compared);
    if (equal !== undefined) migration.notice(equal);
  });
}
