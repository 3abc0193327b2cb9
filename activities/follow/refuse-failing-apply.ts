import { finalFailure } from '../../plan/failures';
import { type Dependencies, instanceOf, type MigrationRef } from '../dependencies';
import { refuseDrift } from '../drift/find-drift';
import { applyWatch, troubleText } from './apply-watch';

/** Apply retries an error for ever; so many failed tries at the same place are no passing trouble. */
const APPLY_ERRORS_MAX = 5;

/**
 * For whoever waits for apply: fails when it never comes. An error of the connection goes away by itself.
 * @throws ApplicationFailure SubscriptionFailed with the error of the target's log; SchemaDrifted where that is the reason
 */
export async function refuseFailingApply(
  deps: Dependencies,
  input: MigrationRef & { readonly databases: readonly string[] },
): Promise<void> {
  for (const { database, trouble } of await applyWatch(deps, input).look(deps, input)) {
    if (!trouble || trouble.isOfConnection || trouble.failures < APPLY_ERRORS_MAX) continue;
    if (input.direction !== 'back') await refuseDrift(deps, input);
    const text = troubleText(input, database, trouble);
    throw finalFailure(
      'SubscriptionFailed',
      `${text[0]?.toUpperCase()}${text.slice(1)} Both schemas are alike, so it is no drift: a row that is in the way, a trigger, a constraint. Correct it on ${instanceOf(input, 'target')}; apply goes on by itself within seconds. Then send retry.`,
    );
  }
}
