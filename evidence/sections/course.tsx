import type { CutoverFacts, Report } from '../../plan/report';
import { STEPS } from '../../plan/steps';
import { type Child, type Element, h } from '../h';
import { Badge, Code, Moment, type Mood, Nothing, Section, Table } from '../parts';
import { LagOverTime } from '../pictures/lag';
import { Pause } from '../pictures/pause';
import { Timeline } from '../pictures/timeline';
import { between, counted } from '../words';

const MOODS: Readonly<Record<string, Mood>> = { failed: 'bad', running: 'care' };

/** When what happened. */
export const Course = (report: Report): Element => (
  <Section id="course" title="What happened, and when">
    <Timeline {...report} />
    <Table
      kind="steps"
      caption="Steps of the runbook; those that were not needed say why"
      head={['Step', 'Began', 'Took', 'What it does, and what came of it']}
      rows={report.progress.steps.map(({ name, status, startedAt, endedAt, note }) => [
        name,
        startedAt ? <Moment at={startedAt} /> : '-',
        startedAt && endedAt ? between(startedAt, endedAt) : '-',
        <span>
          {status === 'done' ? null : <Badge mood={MOODS[status] ?? 'plain'}>{status}</Badge>}
          {status === 'done' ? null : ' '}
          {titleOf(name)}
          {note ? <div class="small">{note}</div> : null}
        </span>,
      ])}
    />
  </Section>
);

/** A report of another version may have steps that this one doesn't know. */
const titleOf = (name: string): string => (STEPS as Readonly<Record<string, { title: string }>>)[name]?.title ?? '';

export const Lag = (report: Report): Element => (
  <Section id="lag" title="Lag over time">
    {LagOverTime(report) ?? <Nothing>No lag was recorded over time.</Nothing>}
  </Section>
);

/** What happened while writes were stopped. */
export function ThePause({ cutover, rollback }: Report): Element {
  if (!cutover) {
    return (
      <Section id="the-pause" title="The pause of writes">
        <Nothing>Traffic was never switched: writes went on on the source.</Nothing>
      </Section>
    );
  }
  const back = rollback?.cutover;
  return (
    <Section id="the-pause" title={back ? 'The two pauses of writes' : 'The pause of writes'}>
      {back ? <h3>At the cutover</h3> : null}
      <Pause id="pause" title="The pause of writes, step by step" facts={cutover} />
      <Facts facts={cutover} from="source" to="target" />
      {rollback && back ? (
        <div>
          <h3>At the rollback</h3>
          <p>
            {rollback.by} asked for it at <Moment at={rollback.requestedAt} />: {rollback.reason}
          </p>
          <Pause id="pause-back" title="The pause of the rollback, step by step" facts={back} />
          <Facts facts={back} from="target" to="source" />
        </div>
      ) : null}
    </Section>
  );
}

/** What a pause did beside its steps. `from`: the side that applications left. */
function Facts({ facts: pause, from, to }: { facts: CutoverFacts; from: string; to: string }): Element {
  const { fenceLsn, fencedRoles, sequences, attempts, finishedBy, wayBackFrom, carried, neighbours } = pause;
  const facts: Child[] = [
    <span>
      The fence stood at <Code>{fenceLsn}</Code>: no write of an application follows it on the {from}.
    </span>,
    fencedRoles.length > 0
      ? `Roles that can't log in to the ${from} any more: ${fencedRoles.join(', ')}.`
      : `No role lost its login on the ${from}.`,
    `${counted(sequences, 'sequence')} set on the ${to}.`,
    finishedBy ? 'The worker ended after the first traffic switch; its watchdog finished the pause.' : null,
    attempts > 1 ? `It took ${attempts} attempts of the activity; the time is that of all.` : null,
    wayBackFrom ? (
      <span>
        The way back begins at <Code>{wayBackFrom}</Code> on the {to}, before the first write there.
      </span>
    ) : null,
    carried?.largeObjects
      ? `Large objects carried over: ${carried.largeObjects.moved} of ${carried.largeObjects.objects} moved, ${carried.largeObjects.removed} removed.`
      : null,
    carried?.unloggedTables
      ? `Unlogged tables carried over: ${carried.unloggedTables.rows} rows in ${counted(carried.unloggedTables.tables, 'table')}.`
      : null,
    ...(neighbours?.subscriptions ?? []).map(
      ({ database, name, slot }) =>
        `Subscription ${name} of ${database} goes on on the ${to}${slot ? `, slot ${slot}` : ''}.`,
    ),
    ...(neighbours?.cronJobs ?? []).map(
      ({ database, id, name }) => `Job ${name ?? id} of pg_cron in ${database} goes on on the ${to}.`,
    ),
  ];
  return <ul>{facts.map((fact) => (fact === null ? null : <li>{fact}</li>))}</ul>;
}
