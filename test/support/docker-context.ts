import { readdirSync } from 'node:fs';
import { join, posix } from 'node:path';

/** Parts of a regular expression for the parts of a pattern. */
const TRANSLATIONS: Readonly<Record<string, string>> = { '**/': '(?:.*/)?', '**': '.*', '*': '[^/]*', '?': '[^/]' };

/**
 * The rules of a .dockerignore, as Docker reads them: one pattern a line, a leading slash and a leading `./` mean
 * nothing, `!` makes an exception, `**` is any number of folders, a pattern matches what is below a folder too, and the last
 * line that matches decides.
 * @see https://docs.docker.com/build/concepts/context/#dockerignore-files and github.com/moby/patternmatcher
 * @returns whether Docker leaves a path out, given relative to the top of the context
 */
export function dockerIgnores(text: string): (path: string) => boolean {
  const rules = text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => ({ except: line.startsWith('!'), pattern: patternOf(line.replace(/^!\s*/, '')) }));
  return (path) => {
    const itselfAndParents = path.split('/').map((_name, index, names) => names.slice(0, index + 1).join('/'));
    const last = rules.findLast(({ pattern }) => itselfAndParents.some((one) => pattern.test(one)));
    return last !== undefined && !last.except;
  };
}

function patternOf(written: string): RegExp {
  const cleaned = posix
    .normalize(written)
    .replace(/^\/+(?=.)/, '')
    .replace(/(?<=.)\/$/, '');
  const parts = cleaned.match(/\*\*\/|\*\*|\\.|\[(?:\\.|[^\]])+\]|./gs) ?? [];
  return new RegExp(`^${parts.map(expressionOf).join('')}$`, 's');
}

function expressionOf(part: string): string {
  const known = TRANSLATIONS[part];
  if (known !== undefined) return known;
  // A class of characters is written alike in both.
  if (part.startsWith('[') && part.length > 1) return part;
  return part.length === 2 ? part : part.replace(/[$()+.[\]^{|}]/, '\\$&');
}

/** Every file that Docker sends as the context of a build, relative to `root`. Follows no symbolic link. */
export function contextFiles(root: string, ignored: (path: string) => boolean): string[] {
  const below = (folder: string): string[] =>
    readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = posix.join(folder, entry.name);
      // Of no use in any image, and large. Docker would walk through them and leave them out, since no rule brings them back.
      if (['node_modules', '.git', '.keyshift', 'dist'].includes(entry.name)) return [];
      if (entry.isDirectory()) return below(path);
      return ignored(path) ? [] : [path];
    });
  return below('').sort();
}
