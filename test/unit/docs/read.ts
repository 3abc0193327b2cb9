import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(__dirname, '..', '..', '..');

/** A file of the repository, by its path from the top. */
export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** Names in a folder of the repository that end so, sorted. */
export const list = (folder: string, ending: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .sort();

/** Headings of a Markdown page, of one level. Lines in code blocks are none. */
export function headings(page: string, level: number): string[] {
  const text = page.replaceAll(/^```[\s\S]*?^```/gm, '');
  return [...text.matchAll(new RegExp(`^#{${level}} (.+)$`, 'gm'))].map(([, title]) =>
    (title ?? '').replaceAll('`', ''),
  );
}
