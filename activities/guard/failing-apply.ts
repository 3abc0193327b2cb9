import { type Dependencies, type MigrationRef } from '../dependencies';
import { applyWatch, troubleText } from '../follow/apply-watch';
import { accessIfThere } from '../postgres/session';
import type { Warning } from './judge-source';

/**
 * Databases in which apply fails again and again, whatever step the migration is at: meanwhile the source keeps WAL for it. What is not
 * subscribed yet is none of them.
 */
export async function warnOfFailingApply(
  deps: Dependencies,
  input: MigrationRef & { readonly databases: readonly string[] },
): Promise<Warning[]> {
  const access = await accessIfThere(deps, input, 'target');
  if (!access) return [];
  const states = await applyWatch(deps, input).look(deps, input, access);
  return states.flatMap(({ database, trouble }) =>
    trouble
      ? [
          {
            code: `apply-fails-${database}`,
            text: `${troubleText(input, database, trouble)} Correct it there; apply goes on by itself within seconds. Until then the source keeps its WAL.`,
          },
        ]
      : [],
  );
}
