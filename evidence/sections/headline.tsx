import type { Approval } from '../../plan/gates';
import type { Report } from '../../plan/report';
import { type Element, h } from '../h';
import { Badge, Code, Moment, type Mood } from '../parts';
import { between, counted, milliseconds, moment, number } from '../words';

const STATUS: Readonly<Record<string, { readonly mood: Mood; readonly text: string }>> = {
  completed: { mood: 'good', text: 'Completed' },
  'rolled-back': { mood: 'care', text: 'Rolled back' },
  aborted: { mood: 'care', text: 'Aborted' },
  failed: { mood: 'bad', text: 'Failed' },
  parked: { mood: 'bad', text: 'Parked' },
};

/** What moved where, how it stands, when, and who approved it. */
export function Headline(report: Report): Element {
  const { mood, text } = STATUS[report.status] ?? { mood: 'plain', text: `Not ended: ${report.status}` };
  return (
    <header>
      <p class="kicker">
        Migration report <Code>{report.migration}</Code>
      </p>
      <h1>{titleOf(report)}</h1>
      <p>
        <Badge mood={mood}>{text}</Badge>
      </p>
      <p class="lead">{leadOf(report)}</p>
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

export function titleOf({ status, plan, cutover }: Report): string {
  const [from, to] = [plan.source.instance, plan.target.instance];
  if (cutover && status === 'completed') return `${from} was moved to the encrypted ${to}`;
  if (cutover && (status as string) === 'rolled-back') return `${from} was moved to ${to}, and back again`;
  if (cutover) return `${from} has been switched to ${to}`;
  if (status === 'aborted' || status === 'failed') return `${from} was not moved to ${to}`;
  return `${from} is on its way to ${to}`;
}

function leadOf(report: Report): string {
  const { cutover, proof, progress } = report;
  const sentences = [];
  if (cutover) {
    sentences.push(
      `Writes were stopped for ${milliseconds(cutover.pauseMs)} until ${moment(cutover.switchedAt)}; since then the target serves.`,
    );
  }
  if (proof && proof.differences.length === 0) {
    sentences.push(
      `${counted(proof.rows, 'row')} in ${counted(proof.tables, 'table')} were compared as of that moment: none differs.`,
    );
  }
  if (!cutover && report.status === 'aborted') {
    const failed = progress.undone.filter(({ ok }) => !ok).length;
    sentences.push(
      `Traffic never left the source. ${counted(progress.undone.length - failed, 'change')} undone${failed > 0 ? `, ${failed} COULD NOT BE` : ''}.`,
    );
  }
  if (progress.parked) sentences.push(`It waits at ${progress.parked.step}: ${progress.parked.message}`);
  if (progress.gate) sentences.push(`It waits for an answer to ${progress.gate.name}.`);
  return sentences.join(' ');
}

type Figure = readonly [term: string, value: string, more?: Element | string];

function figuresOf({ progress, cutover, proof, source }: Report): Figure[] {
  const started = progress.steps.find(({ startedAt }) => startedAt)?.startedAt;
  const ended = progress.steps
    .flatMap(({ endedAt }) => endedAt ?? [])
    .sort()
    .at(-1);
  const approved = progress.approvals.findLast(({ gate, decision }) => gate === 'cutover' && decision === 'approved');
  return [
    ...(cutover ? ([['Writes stopped', milliseconds(cutover.pauseMs)]] satisfies Figure[]) : []),
    ...(proof ? ([['Rows proven', number(proof.rows), proofText(proof.differences.length)]] satisfies Figure[]) : []),
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
