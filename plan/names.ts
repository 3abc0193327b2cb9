/** PostgreSQL truncates longer identifiers in silence (NAMEDATALEN - 1). */
const MAX_IDENTIFIER_BYTES = 63;

/** What an AWS resource of ours is for; the value of the tag `keyshift:role`. */
export type ResourceRole =
  | 'parameter-group'
  | 'quarantine-group'
  | 'replication-secret'
  | 'snapshot'
  | 'encrypted-snapshot'
  | 'target'
  | 'replica'
  | 'final-snapshot'
  | 'encrypted-final-snapshot';

export const TAG_MIGRATION = 'keyshift:migration';
export const TAG_ROLE = 'keyshift:role';

/** Name of an AWS resource of ours: `keyshift-<id>-<what>`. */
export const awsName = (migration: string, what: string): string => `keyshift-${migration}-${what}`;

/** Tags by which we know our own resources again. */
export const ourTags = (migration: string, role: ResourceRole): { Key: string; Value: string }[] => [
  { Key: TAG_MIGRATION, Value: migration },
  { Key: TAG_ROLE, Value: role },
];

/** FNV-1a, 32 bit: tells apart names that sanitising or truncating made equal. Not for security. */
function shortHash(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  return hash.toString(16).padStart(8, '0');
}

/**
 * PostgreSQL name of ours, `keyshift_<id>[_<what>]`, of lower case letters, digits and underscores, as replication
 * slots demand, and within 63 bytes. Names that had to be changed to fit end in a hash, so that no two meet.
 * @see https://www.postgresql.org/docs/current/warm-standby.html#STREAMING-REPLICATION-SLOTS-MANIPULATION
 */
export function postgresName(migration: string, what?: string, separator: '_' | '__' = '_'): string {
  const prefix = `keyshift_${migration.replaceAll('-', '_')}`;
  if (what === undefined) return prefix;
  const plain = what.replaceAll(/[^a-z0-9_]/g, '_');
  const name = `${prefix}${separator}${plain}`;
  if (plain === what && name.length <= MAX_IDENTIFIER_BYTES) return name;
  const suffix = `_${shortHash(what)}`;
  return name.slice(0, MAX_IDENTIFIER_BYTES - suffix.length) + suffix;
}

/** A migration, and how its slots and subscriptions are called. */
export interface Named {
  readonly id: string;
  /**
   * 2: two underscores stand between the id and the database. An id has no two hyphens in a row and none at its end (`isNewMigrationId`), so
   * the first two underscores end it, and no two ids meet. Absent: one underscore, by which `a` with the database `b_c` and `a-b` with `c`
   * meet; so it is in migrations that an older workflow began.
   */
  readonly naming?: 2;
}

const withDatabase = ({ id, naming }: Named, database: string): string =>
  postgresName(id, database, naming === 2 ? '__' : '_');

/** The id in the comment on something of ours: `keyshift <id>`, or `keyshift <id> <mark>`. */
export const idInComment = (comment: string | null): string | undefined =>
  /^keyshift ([a-z][a-z0-9-]*)(?: |$)/.exec(comment ?? '')?.[1];

/**
 * The id in a PostgreSQL name of ours, of any migration: ids have no underscores. Where a database is part of it, it is taken off; of
 * names that were cut, what is left is the beginning.
 */
export function idInName(name: string, database?: string): string {
  const text = name.replace(/^keyshift_/, '');
  const end = database === undefined ? -1 : text.lastIndexOf(`_${database.replaceAll(/[^a-z0-9_]/g, '_')}`);
  if (database === undefined) return text.replaceAll('_', '-');
  const id = end > 0 ? text.slice(0, end) : (text.split('__')[0] ?? text);
  return id.replace(/_$/, '').replaceAll('_', '-');
}

/** Role with which the target's subscription reads from the source. */
export const replicationRole = (migration: string): string => postgresName(migration);
/** Slot of one database; slots are unique in a whole server, so the database is part of the name. */
export const slotName = (of: Named, database: string): string => withDatabase(of, database);
export const publicationName = (migration: string): string => postgresName(migration);
/** Subscriptions are unique in a server only per database, but their names show up in server-wide views. */
export const subscriptionName = (of: Named, database: string): string => withDatabase(of, database);
/** Schema that holds the fence table, on the source and, by way of the snapshot, on the target. */
export const fenceSchema = (migration: string): string => postgresName(migration);
/** `application_name` of our connections; also how fences know whom to spare. */
export const applicationName = (migration: string, step: string): string =>
  `${applicationNamePrefix(migration)}${step}`.slice(0, MAX_IDENTIFIER_BYTES);
export const applicationNamePrefix = (migration: string): string => `keyshift/${migration}/`;
