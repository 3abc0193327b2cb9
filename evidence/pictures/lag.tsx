import { scaleLinear, scaleUtc } from 'd3-scale';
import { area, line } from 'd3-shape';
import type { LagPoint, Report } from '../../plan/report';
import { type Element, h } from '../h';
import { bytes, clock, moment, number } from '../words';
import { Columns, Picture, round, tickText, WIDTH } from './frame';

const LEFT = 84;
const RIGHT = 30;
const TOP = 30;
const HEIGHT = 190;
const BOTTOM = TOP + HEIGHT;
const UNITS = [
  ['TiB', 1_024 ** 4],
  ['GiB', 1_024 ** 3],
  ['MiB', 1_024 ** 2],
  ['KiB', 1_024],
  ['bytes', 1],
] as const;

/** How far the target was behind, while it followed. */
export function LagOverTime({ lagHistory, cutover }: Report): Element | null {
  const points = lagHistory ?? [];
  const [first] = points;
  const last = points.at(-1);
  if (!first || !last || points.length < 2) return null;
  const peak = points.reduce((highest, point) => (point.bytes > highest.bytes ? point : highest));
  const x = scaleUtc()
    .domain([new Date(first.at), new Date(last.at)])
    .range([LEFT, WIDTH - RIGHT]);
  const [unit, size] = UNITS.find(([, one]) => peak.bytes >= one) ?? ['bytes', 1];
  const y = scaleLinear()
    .domain([0, Math.max(peak.bytes / size, 1)])
    .nice(4)
    .range([BOTTOM, TOP]);
  const xOf = ({ at }: LagPoint) => x(new Date(at));
  const yOf = (point: LagPoint) => y(point.bytes / size);
  const text = tickText(Date.parse(last.at) - Date.parse(first.at));
  const switched = cutover && cutover.switchedAt >= first.at ? x(new Date(cutover.switchedAt)) : undefined;
  const series = [...points];

  return (
    <Picture
      id="lag"
      height={BOTTOM + 10}
      title="How far the target was behind the source"
      description={`${number(points.length)} measurements from ${moment(first.at)} to ${moment(last.at)}: ${bytes(first.bytes)} at first, ${bytes(peak.bytes)} at most at ${clock(peak.at)}, ${bytes(last.bytes)} at last.`}
      caption={`Write-ahead log that the target had not applied yet, measured on the source: ${bytes(peak.bytes)} at most (${moment(peak.at)}), ${bytes(last.bytes)} at last (${moment(last.at)}).`}
    >
      <Columns ticks={x.ticks(6).map((at) => ({ at: round(x(at)), text: text(at) }))} top={TOP} bottom={BOTTOM} />
      {y.ticks(4).map((value) => (
        <g>
          <line class="grid" x1={LEFT} x2={WIDTH - RIGHT} y1={round(y(value))} y2={round(y(value))} />
          <text class="quiet" x={LEFT - 8} y={round(y(value)) + 4} text-anchor="end">
            {`${number(value)} ${unit}`}
          </text>
        </g>
      ))}
      <path class="area" d={area<LagPoint>().x(xOf).y0(BOTTOM).y1(yOf).digits(1)(series) ?? ''} />
      <path class="line" d={line<LagPoint>().x(xOf).y(yOf).digits(1)(series) ?? ''} />
      {points.length <= 60
        ? points.map((point) => (
            <circle class="dot" cx={round(xOf(point))} cy={round(yOf(point))} r="3">
              <title>{`${clock(point.at)}: ${bytes(point.bytes)}`}</title>
            </circle>
          ))
        : null}
      {switched !== undefined && switched <= WIDTH - RIGHT ? (
        <g>
          <line class="cut" x1={round(switched)} x2={round(switched)} y1={TOP} y2={BOTTOM} />
          <text x={round(switched) - 6} y={TOP + 14} text-anchor="end">
            switched
          </text>
        </g>
      ) : null}
    </Picture>
  );
}
