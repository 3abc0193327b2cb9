import type { Dependencies } from '../dependencies';
import type { Evidence } from './evidence';
import { evidenceOfTarget, type TargetQuestion } from './target-serves';

/**
 * Before everything is undone: what speaks for it that applications are on the target. Empty: undo. A target that has nothing of this
 * migration inside is none of it: its deletion refuses by itself, and the rest may be undone.
 */
export async function lookAtUse(
  deps: Dependencies,
  input: TargetQuestion,
): Promise<{ readonly evidence: readonly Evidence[] }> {
  const found = await evidenceOfTarget(deps, input);
  return { evidence: found.filter(({ kind }) => kind !== 'leftover') };
}
