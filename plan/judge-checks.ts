import { CHECKS, type Check, type CheckCode } from './checks';
import type { Plan } from './plan';

/** A block that the plan overrides, with the reason that goes into the evidence. */
export interface Overridden {
  readonly code: CheckCode;
  readonly reason: string;
}

/** What the findings of a preflight mean for a plan. */
export interface Judgement {
  /** Blocks that the plan doesn't (or can't) override and warnings that it doesn't acknowledge. Empty: go. */
  readonly stops: readonly Check[];
  readonly acknowledged: readonly Check[];
  readonly overridden: readonly Overridden[];
}

/** Holds what was found against what the plan acknowledges and overrides. */
export function judgeChecks(checks: readonly Check[], plan: Pick<Plan, 'acknowledge' | 'override'>): Judgement {
  const acknowledged = checks.filter(({ level, code }) => level === 'warn' && plan.acknowledge.includes(code));
  const reasonFor = (check: Check) => plan.override.find(({ code }) => code === check.code)?.reason;
  const waived = (check: Check) => CHECKS[check.code].overridable && reasonFor(check) !== undefined;
  const blocks = checks.filter(({ level }) => level === 'block');
  return {
    stops: [
      ...blocks.filter((check) => !waived(check)),
      ...checks.filter((check) => check.level === 'warn' && !acknowledged.includes(check)),
    ],
    acknowledged,
    overridden: blocks.filter(waived).map((check) => ({ code: check.code, reason: reasonFor(check) ?? '' })),
  };
}

/** How the plan can let a check pass that stops it; undefined where only fixing helps. */
export function waiverFor({ level, code }: Check): string | undefined {
  if (level === 'warn') return `or accept it in the plan: acknowledge: [${code}]`;
  return CHECKS[code].overridable
    ? `or override it in the plan: override: [{ code: ${code}, reason: <why> }]`
    : undefined;
}
