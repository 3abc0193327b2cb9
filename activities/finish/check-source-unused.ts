import { finalFailure } from '../../plan/failures';
import { type Dependencies, instanceOf, type MigrationRef } from '../dependencies';
import { textOf } from '../in-use/ask-before';
import { evidenceOfSource } from '../in-use/source-serves';

export interface SourceUnusedInput extends MigrationRef {
  /** Roles that the fence locked out of the source. */
  readonly fencedRoles: readonly string[];
}

/**
 * The last look before the source is given up: somebody may have gone back to it by hand since the switch. A source that
 * is gone is not in use.
 * @throws ApplicationFailure SourceInUse with what speaks against it
 */
export async function checkSourceUnused(deps: Dependencies, input: SourceUnusedInput): Promise<void> {
  const found = await evidenceOfSource(deps, input, true);
  if (found.length === 0) return;
  throw finalFailure(
    'SourceInUse',
    `DB instance ${instanceOf(input, 'source')} looks as if it were in use: ${textOf(found)}. It is not deleted, and replication stays. If that is a mistake, correct it and send retry.`,
    found.map(({ kind, text }) => `${kind}: ${text}`),
  );
}
