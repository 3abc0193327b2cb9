import { createRequire } from 'node:module';

/*
 * Preact by hand: its own types bring those of a browser along, and then `name` or `event` is a known global everywhere in this
 * project. The page is only ever rendered to text, so what is needed of it is little.
 */

/** What an element may contain. */
export type Child = Element | string | number | false | null | undefined | readonly Child[];
/** An element of preact's; nothing looks into it. */
export interface Element {
  readonly type: unknown;
}
type Rendered = Element;
type Attributes = Readonly<Record<string, Child | true | { readonly __html: string }>>;

interface Preact {
  readonly h: (type: unknown, props: unknown, ...children: readonly unknown[]) => Element;
  readonly Fragment: (props: { readonly children?: Child }) => Element;
}

const load = createRequire(__filename);
const preact = load('preact') as Preact;
const { renderToStaticMarkup } = load('preact-render-to-string') as {
  readonly renderToStaticMarkup: (element: Element) => string;
};

/** What JSX is compiled to. */
export function h(type: unknown, props: unknown, ...children: readonly unknown[]): Element {
  return preact.h(type, props, ...children);
}
// Where the compiler looks for the types of JSX.
// eslint-disable-next-line @typescript-eslint/no-namespace
export declare namespace h {
  // eslint-disable-next-line @typescript-eslint/no-namespace
  namespace JSX {
    type Element = Rendered;
    interface ElementChildrenAttribute {
      readonly children: unknown;
    }
    interface IntrinsicAttributes {
      readonly key?: string | number;
    }
    type IntrinsicElements = Record<string, Attributes>;
  }
}
export const { Fragment } = preact;

/** An element as HTML; text and attributes are escaped. */
export const toHtml = (element: Element): string => renderToStaticMarkup(element);
