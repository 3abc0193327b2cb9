import { blocking, type SourceFacts } from '../../plan/checks';
import { finalFailure } from '../../plan/failures';
import { act } from '../act';
import type { Migration } from '../migration';

/** Every check of source, plan, key and quotas. A block ends the migration here: nothing was touched. */
export async function inspect(migration: Migration): Promise<SourceFacts> {
  const { checks, source } = await migration.step('preflight', async (note) => {
    const found = await act('runPreflight', migration.ref);
    const warnings = found.checks.filter(({ level }) => level === 'warn');
    for (const { code, message } of warnings) migration.notice(`${code}: ${message}`);
    note(`${found.checks.length} checks, ${blocking(found.checks).length} block, ${warnings.length} warn`);
    return found;
  });
  migration.report.checks = checks;
  const blocks = blocking(checks);
  if (blocks.length > 0 || !source) throw refusal(blocks);
  migration.report.source = source;
  return source;
}

function refusal(blocks: ReturnType<typeof blocking>) {
  const lines = blocks.map(({ code, message, remedy }) => `  ${code}: ${message}${remedy ? `\n    ${remedy}` : ''}`);
  return finalFailure(
    'PreflightBlocked',
    `${blocks.length} check${blocks.length === 1 ? '' : 's'} of the preflight block the migration; nothing was touched:\n${lines.join('\n')}`,
    blocks,
  );
}
