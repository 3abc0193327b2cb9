import { readFileSync, writeFileSync } from 'node:fs';

/** Puts a text between the markers of a page, `<!-- NAME: begin -->` and `<!-- NAME: end -->`. */
export function writeBetweenMarkers(file: string, name: string, text: string): void {
  const [first, last] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const page = readFileSync(file, 'utf8');
  const [begin, end] = [page.indexOf(first), page.indexOf(last)];
  if (begin < 0 || end < begin) throw new Error(`${file} has no place for this: ${first} ... ${last}`);
  writeFileSync(file, `${page.slice(0, begin + first.length)}\n\n${text}\n\n${page.slice(end)}`);
}
