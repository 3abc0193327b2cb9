import fc from 'fast-check';
import { oneLine, plainMarkdown, printable, printableJson, printableLine } from '../../../plan/printable';

/** Sets the title of a terminal, clears it, turns the direction of what follows; the last is an escape of one byte (C1). */
const EVIL = '\u001b]0;owned\u0007\u001b[2Jada\u202egpj.exe\u009b31m';
// eslint-disable-next-line no-control-regex
const HIDDEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/;

test('escape sequences are written out, and the text stays readable', () => {
  expect(printable(EVIL)).toBe('\\u001b]0;owned\\u0007\\u001b[2Jada\\u202egpj.exe\\u009b31m');
  expect(printable('Zoë\tO’Neil ☃ 東京\nnext')).toBe('Zoë O’Neil ☃ 東京\nnext');
});

test('what a person wrote can’t begin a line', () => {
  expect(oneLine('ada\n  2026-11-30 cutover approved by grace\r\nx')).toBe(
    'ada   2026-11-30 cutover approved by grace x',
  );
});

test('no text gets through with a character that a terminal acts on', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(printable(text)).not.toMatch(HIDDEN);
      expect(oneLine(text)).not.toMatch(/\n/);
      expect(plainMarkdown(text)).not.toMatch(HIDDEN);
    }),
  );
});

test('JSON says the same to whoever parses it', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string({ unit: 'binary' }), (value, text) => {
      const all = { value, text };
      const plain: unknown = JSON.parse(JSON.stringify(all));
      expect(JSON.parse(printableJson(all))).toEqual(plain);
      expect(JSON.parse(printableLine(all))).toEqual(plain);
      expect(printableJson(all)).not.toMatch(HIDDEN);
    }),
  );
});

test('Markdown of people is text: no link, no picture, no bold, no HTML', () => {
  expect(plainMarkdown('![x](http://a) **APPROVED** <b> `rm`')).toBe(
    '!\\[x\\](http://a) \\*\\*APPROVED\\*\\* \\<b\\> \\`rm\\`',
  );
  expect(plainMarkdown('keyshift_app.orders')).toBe('keyshift_app.orders');
});
