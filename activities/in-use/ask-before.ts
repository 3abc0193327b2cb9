import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { ENDING_FAILURES, finalFailure } from '../../plan/failures';
import type { Dependencies } from '../dependencies';
import type { Evidence, EvidenceKind } from './evidence';
import type { RecordsRef } from './records';
import { type Rule, type RuledActivity, RULES } from './rules';
import { evidenceOfSource, type SourceQuestion } from './source-serves';
import { evidenceOfTarget } from './target-serves';

/** What activities may be told that ask. */
interface Question extends SourceQuestion {
  /** Who serves applications, as the workflow knows it. */
  readonly serving?: 'source' | 'target';
}

/**
 * Asks the world who is in use before an activity begins, as its rule says. In doubt it refuses.
 * @throws ApplicationFailure InUse with what was seen
 */
export async function askBefore(deps: Dependencies, name: RuledActivity, input: Question): Promise<void> {
  const rule: Rule = RULES[name];
  if (rule.unused === 'nobody') return;
  if (rule.once && (input.direction === 'back' || Context.current().info.attempt > 1)) return;
  const found = await evidenceAgainst(deps, rule, input);
  if (found.length > 0) throw inUse(name, found);
}

async function evidenceAgainst(deps: Dependencies, rule: Rule, input: Question): Promise<Evidence[]> {
  const ofTarget = async () => {
    const found = await evidenceOfTarget(deps, input);
    if (rule.refusesLeftover) refuseLeftover(found);
    return found;
  };
  const ofSource = () => evidenceOfSource(deps, input, rule.withMaster ?? false);
  if (rule.unused === 'target') {
    const found = await ofTarget();
    const known = rule.takesOver ? takenOver(found) : (rule.knows ?? []);
    return found.filter(({ kind }) => !known.includes(kind));
  }
  if (rule.unused === 'source') return ofSource();
  if (input.serving === 'source') return (await ofTarget()).filter(isNoLeftover);
  if (input.serving === 'target') return ofSource();
  const [target, source] = await Promise.all([ofTarget(), ofSource()]);
  const used = target.filter(isNoLeftover);
  return used.length > 0 && source.length > 0 ? [...used, ...source] : [];
}

const SWITCHED: readonly EvidenceKind[] = ['names', 'record', 'switch'];

/** What a pause expects to find: clients on the target only where a pause before it was recorded, or has switched. */
function takenOver(found: readonly Evidence[]): readonly EvidenceKind[] {
  const isSwitched = found.some(({ kind }) => SWITCHED.includes(kind));
  return ['pause', 'unread', ...SWITCHED, ...(isSwitched ? (['sessions'] as const) : [])];
}

/** A run before this one has removed everything from the target, and died before it could say so. */
const isNoLeftover = ({ kind }: Evidence): boolean => kind !== 'leftover';

/** Whatever the tag says: a clone of this run has the schema of this run inside. */
function refuseLeftover(found: readonly Evidence[]): void {
  const leftover = found.find(({ kind }) => kind === 'leftover');
  if (!leftover) return;
  throw finalFailure('NotOurs', `${leftover.text}. Keyshift does not delete it: find out whether anybody needs it.`);
}

/** What a person reads who finds the migration parked; the evidence is in the details, too. */
export function inUse(what: string, found: readonly Evidence[]): ApplicationFailure {
  return finalFailure(
    'InUse',
    `${what} was not begun, and nothing was changed, since applications may be where it would: ${textOf(found)}. If that is so, leave the migration parked and read docs/operating.md, "When applications are on the other side". If it is not, fix what was seen, then send retry.`,
    found.map(({ kind, text }) => `${kind}: ${text}`),
  );
}

export const textOf = (found: readonly Evidence[]): string => found.map(({ text }) => text).join('; ');

/**
 * A failure that would end the migration, and undo everything, where traffic is on the target by now: slots that the switch has removed
 * look lost to a workflow that was reset to before it.
 * @returns the failure as it is, or InUse
 */
export async function unlessInUse(deps: Dependencies, input: RecordsRef, error: unknown): Promise<unknown> {
  if (!(error instanceof ApplicationFailure) || !ENDING_FAILURES.has(error.type ?? '')) return error;
  if (input.direction === 'back') return error;
  const found = await evidenceOfTarget(deps, input).catch((): Evidence[] => [
    { kind: 'unread', text: 'nobody could look who is in use' },
  ]);
  if (found.length === 0) return error;
  return finalFailure(
    'InUse',
    `${error.message} But applications may be on the target: ${textOf(found)}. Nothing is undone. Read docs/operating.md, "When applications are on the other side".`,
    found.map(({ kind, text }) => `${kind}: ${text}`),
  );
}
