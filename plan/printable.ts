/**
 * Characters that change what a reader sees of the others: controls (with them every escape sequence of a terminal) and those that turn the
 * direction of text. A line feed stays: our own texts have several lines.
 * @see https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing
 */
const HIDDEN =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]/g;

const shown = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** A text in which such characters are written out as `\u001b`, so that it can go to a terminal or a page. Line feeds stay. */
export const printable = (text: string): string => text.replaceAll('\t', ' ').replaceAll(HIDDEN, shown);

/** The same on one line: what a person or a server wrote can't begin a line that looks like one of ours. */
export const oneLine = (text: string): string => printable(text.replaceAll(/\r?\n/g, ' '));

/** JSON in which such characters are escaped. It says the same to whoever parses it. */
export const printableJson = (value: unknown): string => JSON.stringify(value, null, 2).replaceAll(HIDDEN, shown);

/** The same on one line. */
export const printableLine = (value: unknown): string => JSON.stringify(value).replaceAll(HIDDEN, shown);

/**
 * A text as Markdown that says just that: no link, no picture, no code, no HTML. For what people and servers wrote, in the details
 * that the Web UI shows.
 */
export const plainMarkdown = (text: string): string =>
  oneLine(text).replaceAll(/[\\`*[\]<>|]/g, (character) => `\\${character}`);
