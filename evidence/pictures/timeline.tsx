import { scaleUtc } from 'd3-scale';
import type { Approval } from '../../plan/gates';
import type { StepProgress } from '../../plan/progress';
import type { Report } from '../../plan/report';
import { type Element, h } from '../h';
import { between, clock, moment } from '../words';
import { Columns, Picture, round, tickText, WIDTH } from './frame';

const LEFT = 190;
const RIGHT = 90;
const TOP = 30;
const ROW = 20;
const BAR = 12;
/** So that a step of a second is seen beside one of a month. */
const THINNEST = 3;

type Started = StepProgress & { readonly startedAt: string };

/** When which step ran: a bar each, phase by phase, and a mark for each answer of a person. */
export function Timeline({ progress }: Report): Element | null {
  const steps = progress.steps.filter((step): step is Started => step.startedAt !== undefined);
  const [first] = steps;
  if (!first) return null;
  const ends = steps.map(({ startedAt, endedAt }) => Date.parse(endedAt ?? startedAt));
  const span = [Date.parse(first.startedAt), Math.max(...ends, Date.parse(first.startedAt) + 1)] as const;
  const x = scaleUtc()
    .domain(span)
    .range([LEFT, WIDTH - RIGHT]);
  const text = tickText(span[1] - span[0]);
  const phases = [...new Set(steps.map(({ phase }) => phase))];
  const bottom = TOP + steps.length * ROW;
  const rowOf = (step: Started) => TOP + steps.indexOf(step) * ROW;
  const at = (when: string | number) => round(x(new Date(when)));
  const from = moment(first.startedAt);
  const until = moment(new Date(span[1]).toISOString());

  return (
    <Picture
      id="timeline"
      height={bottom + 6}
      title="Steps of the migration over time"
      description={`${steps.length} steps in ${phases.length} phases, from ${from} to ${until}. The table below has each with its start and how long it took.`}
      caption={`From ${from} to ${until}. ◆ marks an answer of a person or of the plan.`}
    >
      {phases.map((phase, place) => {
        const rows = steps.filter((step) => step.phase === phase);
        const top = rowOf(rows[0] as Started);
        return (
          <g>
            {place % 2 === 0 ? (
              <rect class="band" x="0" y={top} width={WIDTH} height={rows.length * ROW} rx="4" />
            ) : null}
            <text class="phase" x="8" y={top + 14}>
              {phase}
            </text>
          </g>
        );
      })}
      <Columns ticks={x.ticks(6).map((tick) => ({ at: round(x(tick)), text: text(tick) }))} top={TOP} bottom={bottom} />
      {steps.map((step) => (
        <Bar step={step} y={rowOf(step)} from={at(step.startedAt)} until={at(step.endedAt ?? span[1])} />
      ))}
      {progress.approvals.map((approval) => {
        const step = steps.findLast((one) => one.startedAt <= approval.at);
        return step ? <Answer approval={approval} x={at(approval.at)} y={rowOf(step) + ROW / 2} /> : null;
      })}
    </Picture>
  );
}

const Bar = ({ step, y, from, until }: { step: Started; y: number; from: number; until: number }): Element => {
  const took = step.endedAt ? between(step.startedAt, step.endedAt) : step.status;
  const width = round(Math.max(THINNEST, until - from));
  return (
    <g>
      <text class="quiet" x={LEFT - 8} y={y + 14} text-anchor="end">
        {step.name}
      </text>
      <rect class={`bar ${step.status}`} x={from} y={y + (ROW - BAR) / 2} width={width} height={BAR} rx="2">
        <title>{`${step.name}: from ${clock(step.startedAt)}, ${took}`}</title>
      </rect>
      <text class="quiet" x={WIDTH - 8} y={y + 14} text-anchor="end">
        {took}
      </text>
    </g>
  );
};

const Answer = ({ approval, x, y }: { approval: Approval; x: number; y: number }): Element => (
  <path class="mark" d={`M${x} ${y - 7}l6 7l-6 7l-6 -7z`}>
    <title>{`${approval.gate} ${approval.decision} by ${approval.by}, ${clock(approval.at)}`}</title>
  </path>
);
