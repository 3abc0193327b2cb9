import { finalFailure } from '../../plan/failures';
import { idInComment, idInName, slotName } from '../../plan/names';
import { queryRows, type Session } from './session';

/** What another migration has on a server, whether it runs or has left it behind. */
export interface OtherMigration {
  readonly id: string;
  /** Such as `replication slot keyshift_a_shop`. */
  readonly traces: readonly string[];
}

/** One thing on a server that a migration of any id has made. */
export interface Trace {
  readonly kind: 'role' | 'replication slot' | 'subscription' | 'publication' | 'schema';
  readonly name: string;
  /** The database of a slot or a subscription, whose name holds it; not the one that was looked in, which sees those of all. */
  readonly belongsTo: string | null;
  readonly comment: string | null;
}

/** A login or claim of a migration of any id, for a query that has `pg_roles` as `r`: the name alone may be an application's. */
export const IS_REPLICATION_ROLE = `(r.rolname LIKE 'keyshift\\_%' AND (
  coalesce(shobj_description(r.oid, 'pg_authid'), '') LIKE 'keyshift %' OR EXISTS (
    SELECT FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid AND g.rolname = 'rds_replication')))`;

/** A slot of a migration of any id, for a query that has `pg_replication_slots` as `s`. */
export const IS_MIGRATION_SLOT = `(s.slot_name LIKE 'keyshift\\_%' AND s.plugin = 'pgoutput')`;

/** A subscription of a migration of any id, for a query that has `pg_subscription` as `s`. */
export const IS_MIGRATION_SUBSCRIPTION = `(s.subname LIKE 'keyshift\\_%')`;

/** Everything on the server, and in the session's database, that a migration of any id has made. */
export const readTraces = (session: Session): Promise<Trace[]> =>
  queryRows<Trace>(
    session,
    `SELECT 'role' AS kind, r.rolname AS name, NULL AS "belongsTo", shobj_description(r.oid, 'pg_authid') AS comment
       FROM pg_roles r WHERE ${IS_REPLICATION_ROLE}
     UNION ALL
     SELECT 'replication slot', s.slot_name, s.database, NULL FROM pg_replication_slots s WHERE ${IS_MIGRATION_SLOT}
     UNION ALL
     SELECT 'subscription', s.subname, d.datname, NULL
       FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE ${IS_MIGRATION_SUBSCRIPTION}
     UNION ALL
     SELECT 'publication', pubname, NULL, obj_description(oid, 'pg_publication')
       FROM pg_publication WHERE obj_description(oid, 'pg_publication') LIKE 'keyshift %'
     UNION ALL
     SELECT 'schema', n.nspname, NULL, obj_description(n.oid, 'pg_namespace') FROM pg_namespace n
      WHERE n.nspname LIKE 'keyshift\\_%' AND (obj_description(n.oid, 'pg_namespace') LIKE 'keyshift %'
            OR EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname IN ('fence', 'cutover')))
      ORDER BY 1, 2`,
  );

/** Traces by migration, without our own. */
export function otherMigrations(traces: readonly Trace[], own: string): OtherMigration[] {
  const known = traces.flatMap(({ kind, name, comment }) =>
    kind === 'replication slot' || kind === 'subscription' ? [] : [idInComment(comment) ?? idInName(name)],
  );
  const ids = new Set([own, ...known]);
  const found = new Map<string, Set<string>>();
  for (const trace of traces) {
    const id = idOf(trace, ids);
    if (id === own) continue;
    found.set(id, (found.get(id) ?? new Set()).add(`${trace.kind} ${trace.name}`));
  }
  return [...found].map(([id, list]) => ({ id, traces: [...list] }));
}

/** The name of a slot holds id and database; whoever of those that are known makes exactly this name is its owner. */
function idOf({ name, belongsTo, comment }: Trace, known: ReadonlySet<string>): string {
  if (belongsTo === null) return idInComment(comment) ?? idInName(name);
  return (
    [...known].find((id) => [{ id }, { id, naming: 2 as const }].some((of) => slotName(of, belongsTo) === name)) ??
    idInName(name, belongsTo)
  );
}

/** What an operator is told: who, what of it is there, and where to look. */
export const describeOther = ({ id, traces }: OtherMigration, instance: string): string =>
  `Migration ${id} is on ${instance} already, or has left something there: ${traces.join(', ')}. Look at its workflow ${id} (keyshift status ${id}), and for the tag keyshift:migration=${id}`;

/** @throws ApplicationFailure NotOurs where another migration is on the server, or in the session's database */
export async function refuseOtherMigrations(session: Session, own: string, instance: string): Promise<void> {
  const [other] = otherMigrations(await readTraces(session), own);
  if (!other) return;
  throw finalFailure(
    'NotOurs',
    `${describeOther(other, instance)}. Two migrations of one instance would lock each other out. Send abort to one of them; what an ended one left behind is removed as docs/checks.md says under other-migration; then send retry.`,
  );
}
