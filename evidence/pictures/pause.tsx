import { scaleLinear } from 'd3-scale';
import type { CutoverFacts } from '../../plan/report';
import { type Element, h } from '../h';
import { milliseconds, moment, number } from '../words';
import { Columns, Picture, round, WIDTH } from './frame';

const LEFT = 190;
const RIGHT = 90;
const TOP = 30;
const ROW = 24;
const BAR = 14;

/** The steps of the pause one after another: for how long writes were stopped, and by what. */
export function Pause({
  id,
  title,
  facts: { timeline, pauseMs, switchedAt },
}: {
  id: string;
  title: string;
  facts: CutoverFacts;
}): Element | null {
  if (timeline.length === 0) return null;
  const sum = timeline.reduce((total, { ms }) => total + ms, 0);
  const x = scaleLinear()
    .domain([0, Math.max(sum, pauseMs, 1)])
    .range([LEFT, WIDTH - RIGHT]);
  const starts = timeline.map((_step, place) => timeline.slice(0, place).reduce((total, { ms }) => total + ms, 0));
  const bottom = TOP + (timeline.length + 1) * ROW;
  const longest = timeline.reduce((most, step) => (step.ms > most.ms ? step : most));
  const rows = [
    ...timeline.map(({ step, ms }, place) => ({ step, ms, start: starts[place] ?? 0, kind: 'bar' })),
    { step: 'writes stopped', ms: pauseMs, start: 0, kind: 'total' },
  ];

  return (
    <Picture
      id={id}
      height={bottom + 6}
      title={title}
      description={`Writes were stopped for ${milliseconds(pauseMs)}. ${timeline.map(({ step, ms }) => `${step}: ${milliseconds(ms)}`).join('; ')}.`}
      caption={`Writes were stopped for ${milliseconds(pauseMs)} until ${moment(switchedAt)}, in ${timeline.length} steps one after another; the longest was "${longest.step}" with ${milliseconds(longest.ms)}.`}
    >
      <Columns
        ticks={x.ticks(6).map((ms) => ({ at: round(x(ms)), text: `${number(ms)} ms` }))}
        top={TOP}
        bottom={bottom}
      />
      {rows.map(({ step, ms, start, kind }, place) => {
        const y = TOP + place * ROW;
        return (
          <g>
            <text class={kind === 'total' ? 'phase' : ''} x={LEFT - 10} y={y + 16} text-anchor="end">
              {step}
            </text>
            <rect
              class={kind}
              x={round(x(start))}
              y={y + (ROW - BAR) / 2}
              width={round(Math.max(2, x(start + ms) - x(start)))}
              height={BAR}
              rx="2"
            />
            <text class={kind === 'total' ? 'phase' : 'quiet'} x={WIDTH - 8} y={y + 16} text-anchor="end">
              {milliseconds(ms)}
            </text>
          </g>
        );
      })}
    </Picture>
  );
}
