import { type BoardLine, green, red } from '../../plan/board';
import type { Dependencies, MigrationRef } from '../dependencies';
import { compareTarget, linesOf } from '../settings/compare-settings';

/** Whether the target still has the settings of the source: somebody may have changed either since they were compared. */
export async function lookAtSettings(deps: Dependencies, ref: MigrationRef): Promise<BoardLine[]> {
  const compared = await compareTarget(deps, ref);
  const unknown = compared.notCompared.map(
    ({ field, wanted, found }) => `${field} (${wanted}; on the target ${found})`,
  );
  return [
    ...red('settings', ...linesOf(compared)),
    ...green(
      'settings',
      `settings: ${compared.compared} fields of ${compared.instance} compared with ${compared.like}, ${compared.differences.length} differ`,
      ...compared.planned.map((change) => `the plan changes ${change}`),
      ...(unknown.length > 0 ? [`settings that this version does not know, not compared: ${unknown.join(', ')}`] : []),
    ),
  ];
}
