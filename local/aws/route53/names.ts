import type { RecordSet } from './model';

/**
 * A name as Route 53 stores it: lower case, fully qualified, whatever isn't a letter, a digit, `-`, `_` or a dot as its octal code (`*` is `\052`).
 * @see https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
 */
export function canonicalName(text: string): string {
  const name = text
    .toLowerCase()
    .replace(/\\[0-7]{3}|[^a-z0-9._-]/g, (found) =>
      found.length > 1 ? found : `\\${found.charCodeAt(0).toString(8).padStart(3, '0')}`,
    );
  return name.endsWith('.') ? name : `${name}.`;
}

/** What names are sorted by: their labels from the right, with the dot at the end (`ListResourceRecordSets` says so). */
export const sortKey = (name: string): string => `${name.slice(0, -1).split('.').reverse().join('.')}.`;

/** The order of record sets in a listing: by name, type and set identifier. */
export function compareSets(
  left: Pick<RecordSet, 'name' | 'type' | 'setIdentifier'>,
  right: Pick<RecordSet, 'name' | 'type' | 'setIdentifier'>,
): number {
  return (
    compareText(sortKey(left.name), sortKey(right.name)) ||
    compareText(left.type, right.type) ||
    compareText(left.setIdentifier ?? '', right.setIdentifier ?? '')
  );
}

export const compareText = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);
