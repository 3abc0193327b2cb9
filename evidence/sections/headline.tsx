import type { Approval } from '../../plan/gates';
import type { Report } from '../../plan/report';
import { type End, endOf, storyOf, titleOf } from '../ending';
import { type Element, h } from '../h';
import { Badge, Code, Moment, type Mood } from '../parts';
import { between, milliseconds, moment, number } from '../words';

const ENDED: Readonly<Partial<Record<End, { readonly mood: Mood; readonly text: string }>>> = {
  completed: { mood: 'good', text: 'Completed' },
  'source-kept': { mood: 'good', text: 'Completed, source kept' },
  'rolled-back': { mood: 'care', text: 'Rolled back' },
  aborted: { mood: 'care', text: 'Aborted' },
  blocked: { mood: 'bad', text: 'Blocked by the preflight' },
  failed: { mood: 'bad', text: 'Failed' },
};

function badgeOf(report: Report): { readonly mood: Mood; readonly text: string } {
  if (report.status === 'parked') return { mood: 'bad', text: 'Parked' };
  return ENDED[endOf(report)] ?? { mood: 'plain', text: `Not ended: ${report.status}` };
}

/** What moved where, how it stands, when, and who approved it. */
export function Headline(report: Report): Element {
  const { mood, text } = badgeOf(report);
  return (
    <header>
      <p class="kicker">
        Migration report <Code>{report.migration}</Code>
      </p>
      <h1>{titleOf(report)}</h1>
      <p>
        <Badge mood={mood}>{text}</Badge>
      </p>
      <p class="lead">{storyOf(report).join(' ')}</p>
      <dl class="figures">
        {figuresOf(report).map(([term, value, more]) => (
          <div>
            <dt>{term}</dt>
            <dd>{value}</dd>
            {more ? <dd class="small">{more}</dd> : null}
          </div>
        ))}
      </dl>
    </header>
  );
}

type Figure = readonly [term: string, value: string, more?: Element | string];

function figuresOf({ progress, cutover, proof, source, rollback }: Report): Figure[] {
  const started = progress.steps.find(({ startedAt }) => startedAt)?.startedAt;
  const ended = progress.steps
    .flatMap(({ endedAt }) => endedAt ?? [])
    .sort()
    .at(-1);
  const approved = progress.approvals.findLast(({ gate, decision }) => gate === 'cutover' && decision === 'approved');
  return [
    ...(cutover ? ([['Writes stopped', milliseconds(cutover.pauseMs), 'at the cutover']] satisfies Figure[]) : []),
    ...(rollback?.cutover
      ? ([['Writes stopped again', milliseconds(rollback.cutover.pauseMs), 'at the rollback']] satisfies Figure[])
      : []),
    ...(proof ? ([['Rows proven', number(proof.rows), proofText(proof.differences.length)]] satisfies Figure[]) : []),
    ...(rollback?.proof
      ? ([
          ['Rows proven again', number(rollback.proof.rows), proofText(rollback.proof.differences.length)],
        ] satisfies Figure[])
      : []),
    ...(approved ? ([['Cutover approved by', approved.by, <Said approval={approved} />]] satisfies Figure[]) : []),
    ...(started
      ? ([['Took', ended ? between(started, ended) : '-', `began ${moment(started)}`]] satisfies Figure[])
      : []),
    ...(source
      ? ([['Databases', number(source.databases.length), source.databases.join(', ')]] satisfies Figure[])
      : []),
  ];
}

const proofText = (differing: number): string => (differing === 0 ? 'none differs' : `${differing} TABLES DIFFER`);

const Said = ({ approval }: { approval: Approval }): Element => (
  <span>
    <Moment at={approval.at} />
    {approval.comment ? `: ${approval.comment}` : ''}
  </span>
);
