import { type Child, type Element, h } from './h';
import { moment } from './words';

/** A part of the page with its heading; `id` is where links lead. */
export const Section = ({ id, title, children }: { id: string; title: string; children?: Child }): Element => (
  <section aria-labelledby={id}>
    <h2 id={id}>{title}</h2>
    {children}
  </section>
);

/** A table; the first cell of a row is its heading. `widths`: classes of its columns. */
export const Table = ({
  caption,
  head,
  rows,
  kind = '',
}: {
  caption: string;
  head: readonly string[];
  rows: readonly (readonly Child[])[];
  kind?: string;
}): Element => (
  <table class={kind}>
    <caption>{caption}</caption>
    <thead>
      <tr>
        {head.map((cell) => (
          <th scope="col">{cell}</th>
        ))}
      </tr>
    </thead>
    <tbody>
      {rows.map((row) => (
        <tr>{row.map((cell, place) => (place === 0 ? <th scope="row">{cell}</th> : <td>{cell}</td>))}</tr>
      ))}
    </tbody>
  </table>
);

/** A moment, which machines can read too. */
export const Moment = ({ at }: { at: string }): Element => <time datetime={at}>{moment(at)}</time>;

/** A word about how something stands; the word says it, the colour only repeats it. */
export const Badge = ({ mood, children }: { mood: Mood; children?: Child }): Element => (
  <span class={`badge ${mood}`}>{children}</span>
);
export type Mood = 'good' | 'care' | 'bad' | 'plain';

/** Names, addresses, keys. */
export const Code = ({ children }: { children?: Child }): Element => <code>{children}</code>;

/** Something that there is nothing to say about. */
export const Nothing = ({ children }: { children?: Child }): Element => <p class="nothing">{children}</p>;
