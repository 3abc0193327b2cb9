import type { Random } from '../position/random';
import { literal } from './sql';

/** Encodings of databases that the grammar makes. */
export const ENCODINGS = ['UTF8', 'LATIN1', 'WIN1252', 'EUC_JP', 'SQL_ASCII'] as const;
export type Encoding = (typeof ENCODINGS)[number];

/** What only this encoding has, and ASCII with what programs like to trip over. */
const WORDS: Readonly<Record<Encoding, readonly string[]>> = {
  UTF8: ['Grüße', 'ﬁn', '🦭🦭', 'e\u0301', 'שלום', '日本語', '\u00a0', 'İstanbul', '\u200b'],
  LATIN1: ['Grüße', 'ÿ', '½', '\u00a0'],
  WIN1252: ['Grüße', '€ 5', '„so“', 'Œuvre'],
  EUC_JP: ['かな', '日本語', '表'],
  SQL_ASCII: ['plain', 'Grüße as bytes'],
};
const ANYWHERE = [
  '',
  ' ',
  '  x ',
  'NULL',
  'null',
  '\\N',
  'a,b',
  'a"b',
  `it's`,
  'a\\b',
  '{a,b}',
  '(1,2)',
  'a\tb',
  'a\nb',
  '%s $1',
  '-- x',
  '--;',
];

/** A short text without a meaning. */
export function word(random: Random, encoding: Encoding): string {
  return (
    random.pick(random.percent(40) ? WORDS[encoding] : ANYWHERE) +
    (random.percent(50) ? String(random.below(1000)) : '')
  );
}

/** The first characters of a text, none of them cut in two. */
export const firstOf = (text: string, characters: number): string => [...text].slice(0, characters).join('');

/** SQL of a text: short mostly, now and then so long that it is kept out of its row. */
export function textSql(random: Random, encoding: Encoding): string {
  if (random.percent(6)) return longText(random);
  return literal(random.percent(20) ? `${word(random, encoding)} ${word(random, encoding)}` : word(random, encoding));
}

/** Some kilobytes that don't compress, so that TOAST takes them. */
export const longText = (random: Random): string =>
  `(SELECT string_agg(md5((${random.below(1_000_000)} + n)::text), '') FROM generate_series(1, ${80 + random.below(150)}) AS n)`;
