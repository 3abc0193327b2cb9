import { type Check, type SourceFacts } from '../../plan/checks';
import { finalFailure } from '../../plan/failures';
import { judgeChecks, waiverFor } from '../../plan/judge-checks';
import { act } from '../act';
import type { Migration } from '../migration';

/** Every check of source, plan, key and quotas. What stops it ends the migration here: nothing was touched. */
export async function inspect(migration: Migration): Promise<SourceFacts> {
  const { plan, report } = migration;
  const { checks, source } = await migration.step('preflight', async (note) => {
    const found = await act('runPreflight', migration.ref);
    const { stops, acknowledged, overridden } = judgeChecks(found.checks, plan);
    note(
      `${found.checks.length} checks, ${stops.length} stop, ${acknowledged.length} acknowledged, ${overridden.length} overridden`,
    );
    return found;
  });
  const { stops, acknowledged, overridden } = judgeChecks(checks, plan);
  for (const { code, message } of acknowledged) migration.notice(`acknowledged ${code}: ${message}`);
  for (const { code, reason } of overridden) migration.notice(`overridden ${code}: ${reason}`);
  report.checks = checks;
  report.overridden = overridden;
  if (stops.length > 0 || !source) throw refusal(stops);
  report.source = source;
  return source;
}

function refusal(stops: readonly Check[]) {
  const lines = stops.map((check) =>
    [`  ${check.code} (${check.level}): ${check.message}`, ...(check.remedy?.split('\n') ?? []), waiverFor(check)]
      .filter((line) => line !== undefined)
      .join('\n    '),
  );
  return finalFailure(
    'PreflightBlocked',
    `${stops.length} check${stops.length === 1 ? '' : 's'} of the preflight stop${stops.length === 1 ? 's' : ''} the migration; nothing was touched:\n${lines.join('\n')}`,
    stops,
  );
}
