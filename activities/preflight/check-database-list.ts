import type { Check } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import { queryRows, type Session } from '../postgres/session';

const code = 'source-databases';

export interface DatabaseRow {
  readonly name: string;
  /** `pg_database_size`, in bytes; a bigint, so text. */
  readonly size: string;
}

/** Every database that accepts connections, but templates and RDS's own. */
export async function listDatabases(session: Session): Promise<DatabaseRow[]> {
  return queryRows<{ name: string; size: string }>(
    session,
    `SELECT datname AS name,
            CASE WHEN has_database_privilege(oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE')
                 THEN pg_database_size(oid) ELSE 0 END::text AS size
       FROM pg_database
      WHERE datallowconn AND NOT datistemplate AND datname <> 'rdsadmin' ORDER BY datname`,
  );
}

export function checkDatabaseList(plan: Plan, list: readonly DatabaseRow[]): Check {
  const names = list.map(({ name }) => name);
  const wanted = plan.databases ?? names;
  const unknown = wanted.filter((name) => !names.includes(name));
  const left = names.filter((name) => name !== 'postgres' && !wanted.includes(name));
  if (unknown.length > 0) {
    return {
      code,
      level: 'block',
      message: `${plan.source.instance} has no database ${unknown.join(', ')} that accepts connections.`,
      remedy: `Correct "databases" in the plan; there are: ${names.join(', ')}.`,
    };
  }
  if (left.length > 0) {
    return {
      code,
      // What is written to them meanwhile would be on the source only, and that is deleted in the end.
      level: plan.keep.source ? 'warn' : 'block',
      message: `The target gets ${left.join(', ')} as of the snapshot only: the plan doesn't replicate it.`,
      remedy: 'Leave "databases" out of the plan to replicate all, or keep the source: keep.source: true.',
    };
  }
  return { code, level: 'ok', message: `databases: ${wanted.join(', ')}` };
}
