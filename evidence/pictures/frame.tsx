import { type Child, type Element, h } from '../h';
import { clock, day } from '../words';

/** Width of every picture in its own units; it is drawn as wide as the page. */
export const WIDTH = 960;

/** A picture with a title and a description for those who don't see it, and a line below for all. */
export const Picture = ({
  id,
  height,
  title,
  description,
  caption,
  children,
}: {
  id: string;
  height: number;
  title: string;
  description: string;
  caption: string;
  children?: Child;
}): Element => (
  <figure>
    <svg viewBox={`0 0 ${WIDTH} ${Math.ceil(height)}`} role="img" aria-labelledby={`${id}-title ${id}-description`}>
      <title id={`${id}-title`}>{title}</title>
      <desc id={`${id}-description`}>{description}</desc>
      {children}
    </svg>
    <figcaption>{caption}</figcaption>
  </figure>
);

export interface Tick {
  readonly at: number;
  readonly text: string;
}

/** Vertical lines with their labels above. */
export const Columns = ({ ticks, top, bottom }: { ticks: readonly Tick[]; top: number; bottom: number }): Element => (
  <g>
    {ticks.map(({ at, text }) => (
      <g>
        <line class="grid" x1={at} x2={at} y1={top} y2={bottom} />
        <text class="quiet" x={at} y={top - 7} text-anchor="middle">
          {text}
        </text>
      </g>
    ))}
  </g>
);

const DAY_MS = 86_400_000;

/** How moments of a span are written: seconds only where they matter, days where the span has several. */
export function tickText(spanMs: number): (at: Date) => string {
  if (spanMs > 4 * DAY_MS) return (at) => day(at).replace(/ \d{4}$/, '');
  if (spanMs > DAY_MS) return (at) => `${day(at).replace(/ \w+ \d{4}$/, '.')} ${clock(at).slice(0, 5)}`;
  return spanMs > 600_000 ? (at) => clock(at).slice(0, 5) : clock;
}

/** Coordinates don't need more. */
export const round = (value: number): number => Math.round(value * 10) / 10;
