import { type Session } from '../postgres/session';
import { bareTables, remedyOf } from '../preflight/schema/replica-identity';
import type { Warning } from './judge-source';

/** More than this are counted, not listed. */
const NAMED = 5;

/**
 * Tables without usable replica identity that were made since the publication: it is `FOR ALL TABLES`, so UPDATE and DELETE on
 * them fail on the source until they get one.
 */
export async function warnOfBareTables(source: Session, database: string): Promise<Warning[]> {
  const rows = await bareTables(source);
  if (rows.length === 0) return [];
  const some = rows.slice(0, NAMED);
  const named =
    some.map(({ name }) => name).join(', ') + (rows.length > NAMED ? ` and ${rows.length - NAMED} more` : '');
  const remedy = some.map(remedyOf).join(' ');
  return [
    {
      code: `no-replica-identity-${database}`,
      text: `UPDATE and DELETE FAIL ON THE SOURCE for ${named} in database ${database}: no usable replica identity, and all tables are published. At once, in ${database}: ${remedy}`,
    },
  ];
}
