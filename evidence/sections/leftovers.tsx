import { costLine } from '../../plan/daily-cost';
import type { Report } from '../../plan/report';
import { stepOf } from '../../plan/progress';
import { type Child, type Element, h } from '../h';
import { Badge, Code, Moment, Nothing, Section, Table } from '../parts';

/** What is gone and what is left. */
export const Leftovers = (report: Report): Element => (
  <Section id="leftovers" title="What was deleted, and what stays">
    <Deleted {...report} />
    <Undone {...report} />
    {report.stays.length > 0 ? (
      <Table
        caption="What stays, on purpose"
        head={['What', 'Name', 'Why']}
        rows={report.stays.map(({ what, name, why }) => [what, <Code>{name}</Code>, why])}
      />
    ) : null}
  </Section>
);

/** By what the decommission does when it ends well; a step that did not end says nothing. */
function Deleted(report: Report): Element {
  const { progress, plan, source, sourceStopped, slots, removal, migration, status } = report;
  const step = progress.steps.find(({ name }) => name === 'decommission') && stepOf(progress, 'decommission');
  if (['aborted', 'failed', 'rolled-back'].includes(status))
    return <Nothing>Nothing of the source was deleted.</Nothing>;
  const costs = (removal?.costs ?? []).map(costLine);
  if (step?.status !== 'done') {
    const cost = costs.length > 0 ? ` Until then, by the price list: ${costs.join('; ')}.` : '';
    return <Nothing>Nothing has been deleted yet.{cost}</Nothing>;
  }
  const rows: readonly (readonly Child[])[] = [
    ...(plan.keep?.source || !source
      ? []
      : [
          [
            'source',
            <Code>{source.instance}</Code>,
            `resource id ${source.resourceId}${removal?.deletionProtection ? '; it was protected against deletion' : ''}${costs.map((cost) => `; ${cost}`).join('')}${sourceStopped ? `; stopped at ${sourceStopped.at}, started at ${sourceStopped.startedAt ?? '-'} for its removal` : ''}`,
          ],
        ]),
    ...(plan.keep?.source ? [] : (removal?.replicas ?? [])).map(({ instance, replacedBy }) => [
      'read replica',
      <Code>{instance}</Code>,
      `${replacedBy} stands for it`,
    ]),
    ...(plan.keep?.source || plan.keep?.logGroups !== false ? [] : (removal?.logGroups ?? []))
      .filter(({ name }) => !report.stays.some((one) => one.name === name))
      .map(({ name }) => ['log group', <Code>{name}</Code>, 'with all that was logged']),
    ...(slots ?? []).map(({ database, slot }) => [
      'replication slot',
      <Code>{slot}</Code>,
      `of database ${database}, with its publication and subscription`,
    ]),
    ['intermediate snapshots', <Code>{`keyshift-${migration}-...`}</Code>, 'of the source, and its encrypted copy'],
  ];
  return (
    <Table
      caption={`Deleted${step.endedAt ? ` until ${step.endedAt}` : ''}: ${step.note ?? ''}`}
      head={['What', 'Name', '']}
      rows={rows}
    />
  );
}

function Undone({ progress }: Report): Element | null {
  if (progress.undone.length === 0) return null;
  return (
    <Table
      caption="What was undone, in that order"
      head={['What', '', 'Message']}
      rows={progress.undone.map(({ name, ok, message }) => [
        name,
        <Badge mood={ok ? 'good' : 'bad'}>{ok ? 'undone' : 'FAILED'}</Badge>,
        message ?? '-',
      ])}
    />
  );
}

/** What an operator was told on the way. */
export const Notices = ({ progress }: Report): Element => (
  <Section id="notices" title="Notices">
    {progress.notices.length === 0 ? (
      <Nothing>There were none.</Nothing>
    ) : (
      <Table
        caption="What happened beside the steps"
        head={['When', 'What']}
        rows={progress.notices.map(({ at, text }) => [<Moment at={at} />, text])}
      />
    )}
  </Section>
);

/** What was decided beforehand. */
export const PlanAsJson = ({ plan }: Report): Element => (
  <Section id="plan" title="The plan">
    <p>With all defaults; names and references only.</p>
    <pre>{JSON.stringify(plan, null, 2)}</pre>
  </Section>
);
