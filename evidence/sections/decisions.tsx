import type { Check } from '../../plan/checks';
import type { Report } from '../../plan/report';
import { acknowledgedOf, stopsOf } from '../ending';
import { type Element, h } from '../h';
import { Badge, Code, Moment, type Mood, Nothing, Section, Table } from '../parts';
import { counted } from '../words';

/** Who decided what, with what they said. */
export const Approvals = ({ progress }: Report): Element => (
  <Section id="approvals" title="Approvals">
    {progress.approvals.length === 0 ? (
      <Nothing>Nobody was asked.</Nothing>
    ) : (
      <Table
        caption="Answers to the gates, in their order"
        head={['Gate', 'Answer', 'By', 'When', 'Comment']}
        rows={progress.approvals.map(({ gate, decision, by, at, comment, waive }) => [
          gate,
          <Badge mood={decision === 'approved' ? 'good' : 'bad'}>{decision}</Badge>,
          by === 'plan' ? 'the plan (no person was asked)' : by,
          <Moment at={at} />,
          <span>
            {comment ?? '-'}
            {waive?.length ? ` (waived: ${waive.join(', ')})` : ''}
          </span>,
        ])}
      />
    )}
  </Section>
);

/** Why the preflight stopped it: the first thing to read, where there is one. */
export function Stopped(report: Report): Element | null {
  const stops = stopsOf(report);
  if (stops.length === 0) return null;
  return (
    <Section id="stopped" title="What stopped it">
      <Table
        caption="Checks of the preflight that the plan did not let pass"
        head={['Check', 'Result', 'Found', 'What to do']}
        rows={stops.map((check) => [
          <Code>{check.code}</Code>,
          <Badge mood="bad">{wordOf(check, true)}</Badge>,
          check.message,
          check.remedy ?? '-',
        ])}
      />
    </Section>
  );
}

/** What the plan let pass, and why. */
export function Waivers(report: Report): Element {
  const { checks, overridden, plan, progress, waivers } = report;
  const acknowledged = acknowledgedOf(report);
  const byApproval = progress.approvals.flatMap(({ by, comment, waive }) =>
    (waive ?? []).map((code) => [<Code>{code}</Code>, by, comment ?? '-']),
  );
  const onTheBoard = waivers?.map(({ code, by, reason }) => [<Code>{code}</Code>, by, reason]) ?? byApproval;
  const messageOf = (code: string) => checks.find((check) => check.code === code)?.message ?? '';
  return (
    <Section id="waivers" title="Waivers">
      {overridden.length > 0 ? (
        <Table
          caption="Checks that blocked, and that the plan overrode with a reason"
          head={['Check', 'Found', 'Reason']}
          rows={overridden.map(({ code, reason }) => [<Code>{code}</Code>, messageOf(code), reason])}
        />
      ) : (
        <Nothing>No check was overridden.</Nothing>
      )}
      {acknowledged.length > 0 ? (
        <Table
          caption="Warnings that the plan acknowledged by code"
          head={['Check', 'Found']}
          rows={acknowledged.map(({ code, message }) => [<Code>{code}</Code>, message])}
        />
      ) : (
        <Nothing>No warning was acknowledged.</Nothing>
      )}
      {onTheBoard.length > 0 ? (
        <Table
          caption="Red lines of the board that an approver waived"
          head={['Line', 'By', 'Reason']}
          rows={onTheBoard}
        />
      ) : null}
      {plan.target.mayDiffer?.length ? (
        <p>The plan permits the target to differ from the source in: {plan.target.mayDiffer.join(', ')}.</p>
      ) : null}
    </Section>
  );
}

const LEVELS: Readonly<Record<Check['level'], readonly [mood: Mood, order: number]>> = {
  block: ['bad', 0],
  warn: ['care', 1],
  ok: ['good', 2],
};

/** Every check of the preflight; what was not fine comes first. */
export function Checks(report: Report): Element {
  const { checks } = report;
  const stops = new Set(stopsOf(report));
  const sorted = checks.toSorted((one, other) => LEVELS[one.level][1] - LEVELS[other.level][1]);
  const fine = checks.filter(({ level }) => level === 'ok').length;
  return (
    <Section id="checks" title="Checks">
      {checks.length === 0 ? (
        <Nothing>The preflight did not get that far.</Nothing>
      ) : (
        <Table
          kind="checks"
          caption={`${counted(checks.length, 'check')} of the preflight, of which ${fine} found nothing to decide`}
          head={['Check', 'Result', 'Found']}
          rows={sorted.map((check) => [
            <Code>{check.code}</Code>,
            <Badge mood={stops.has(check) ? 'bad' : LEVELS[check.level][0]}>{wordOf(check, stops.has(check))}</Badge>,
            check.message,
          ])}
        />
      )}
    </Section>
  );
}

/** `ok`, what the plan said to it, or that it stops. */
function wordOf({ level }: Check, stops: boolean): string {
  if (stops) return level === 'warn' ? 'not acknowledged' : 'blocks';
  return { ok: 'ok', warn: 'acknowledged', block: 'overridden' }[level];
}
