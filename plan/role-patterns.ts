/** Whether a role's name fits a pattern, in which `*` stands for any characters, also none, and everything else for itself. */
export function fitsPattern(pattern: string, role: string): boolean {
  const literal = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${pattern.split('*').map(literal).join('.*')}$`, 's').test(role);
}

/** The same for LIKE. */
export const likePattern = (pattern: string): string =>
  pattern.replaceAll(/[\\%_]/g, (character) => `\\${character}`).replaceAll('*', '%');
