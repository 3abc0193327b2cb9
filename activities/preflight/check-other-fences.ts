import type { Check } from '../../plan/checks';
import { lookAtFences } from '../cutover/fence-set';
import type { Dependencies, MigrationRef } from '../dependencies';

const code = 'fence';

/** Every fence of the plan but the SQL fence could be raised now. Days before, since some take time to set up. */
export async function checkOtherFences(deps: Dependencies, ref: MigrationRef): Promise<Check[]> {
  const { findings, red } = await lookAtFences(deps, ref);
  if (red.length > 0) {
    const remedy = 'Correct cutover.fence, or what it names.';
    return red.map((message) => ({ code, level: 'block', message, remedy }));
  }
  const message = findings.join('; ') || 'the plan names no fence but the SQL fence';
  return [{ code, level: 'ok', message }];
}
