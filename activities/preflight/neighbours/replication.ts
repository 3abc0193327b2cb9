import { publicationName } from '../../../plan/names';
import { IS_MIGRATION_SLOT, IS_MIGRATION_SUBSCRIPTION } from '../../postgres/other-migrations';
import { escapeLiteral, queryRows } from '../../postgres/session';
import { MOVES } from '../../way-back/downstream-slots';
import { counted, evidenceOf, named } from '../findings';
import { script } from '../remedy';
import { databaseCheck, RELATION, type ServerCheck, USER_SCHEMAS } from '../sql-check';

interface ForeignSlot {
  readonly name: string;
  readonly plugin: string | null;
  readonly database: string | null;
  readonly active: boolean;
  readonly pid: number | null;
  /** Who reads from it, as the sender knows. */
  readonly reader: string | null;
  readonly behind: string | null;
  /** It can be made anew on the target. */
  readonly moves: boolean;
}

/**
 * Slots of others: Debezium, DMS, Fivetran... They are on the source only, so from the cutover on their readers see
 * nothing new, and none of them may begin on the target before it has a slot there. Slots of RDS's own (`rds_`) belong
 * to read replicas, and those of a migration have a check of their own: no command of this one takes a slot from it.
 */
export const replicationSlots: ServerCheck = {
  code: 'replication-slots',
  look: async (session, { plan, databases }) => {
    const code = 'replication-slots';
    const found = await queryRows<ForeignSlot>(
      session,
      `SELECT s.slot_name AS name, s.plugin, s.database, s.active, s.active_pid AS pid,
              a.application_name || ' as ' || a.usename || ' from ' || coalesce(host(a.client_addr), 'the server') AS reader,
              pg_wal_lsn_diff(pg_current_wal_lsn(), coalesce(s.confirmed_flush_lsn, s.restart_lsn))::text AS behind,
              ${MOVES} AND s.database = ANY ($1::text[]) AS moves
         FROM pg_replication_slots s LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid
        WHERE NOT s.temporary AND NOT (s.slot_type = 'physical' AND starts_with(s.slot_name, 'rds_')) AND ${IS_MIGRATION_SLOT} IS NOT TRUE
        ORDER BY 1`,
      [databases],
    );
    if (found.length === 0) return [{ code, level: 'ok', message: 'nobody else has a replication slot' }];
    const moving = plan.carry.slots === 'recreate' ? found.filter(({ moves }) => moves) : [];
    const staying = found.filter((slot) => !moving.includes(slot));
    const evidence = evidenceOf(found);
    const moved = `made anew on the target in the cutover: ${named(moving.map(lineOf))}`;
    if (staying.length === 0)
      return [
        { code, level: 'ok', message: `${counted(found.length, 'replication slot')} of others, ${moved}`, evidence },
      ];
    return [
      {
        code,
        level: 'warn',
        message: `${counted(staying.length, 'replication slot')} of others: ${named(staying.map(lineOf))}. They stay on the old source: from the cutover on their readers get nothing new, and need a slot on the target, made before applications write there.${moving.length > 0 ? ` Others are ${moved}.` : ''}`,
        remedy: script(
          staying.flatMap(({ name, database, pid }) => [
            ...(pid === null
              ? []
              : [{ database: database ?? 'postgres', sql: `SELECT pg_terminate_backend(${pid});` }]),
            { database: database ?? 'postgres', sql: `SELECT pg_drop_replication_slot(${escapeLiteral(name)});` },
          ]),
          'after its reader is stopped; or acknowledge this in the plan; logical slots of migrated databases can go to the target, in the plan: carry: { slots: recreate }',
        ),
        evidence,
      },
    ];
  },
};

const lineOf = ({ name, plugin, database, active, reader }: ForeignSlot): string =>
  `${name} (${plugin === null ? 'physical' : `${plugin} in ${database}`}, ${active ? `read by ${reader ?? 'somebody'}` : 'read by nobody now'})`;

interface Subscribed {
  readonly name: string;
  readonly database: string;
  readonly quoted: string;
}

/** A copied subscription starts by itself on the clone and takes its upstream slot away from the source. */
export const sourceSubscriptions: ServerCheck = {
  code: 'source-subscriptions',
  look: async (session, { plan }) => {
    const code = 'source-subscriptions';
    const found = await queryRows<Subscribed>(
      session,
      `SELECT s.subname AS name, d.datname AS database, format('%I', s.subname) AS quoted
         FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE NOT ${IS_MIGRATION_SUBSCRIPTION} ORDER BY 2, 1`,
    );
    if (found.length === 0) return [{ code, level: 'ok', message: 'the source subscribes to nothing' }];
    const names = found.map(({ database, name }) => `${database}.${name}`);
    const evidence = evidenceOf(names);
    if (plan.carry.subscriptions === 'move') {
      return [{ code, level: 'ok', message: `the target takes over in the cutover: ${named(names)}`, evidence }];
    }
    return [
      {
        code,
        level: 'block',
        message: `The source subscribes to others (${named(names)}): the clone would take their slots from it.`,
        remedy: script(
          found.flatMap(({ database, quoted }) =>
            ['DISABLE', 'SET (slot_name = NONE)']
              .map((what) => ({ database, sql: `ALTER SUBSCRIPTION ${quoted} ${what};` }))
              .concat({ database, sql: `DROP SUBSCRIPTION ${quoted};` }),
          ),
          'that leaves the slot on the other server, to be dropped there; or let the target take them over, in the plan: carry: { subscriptions: move }',
        ),
        evidence,
      },
    ];
  },
};

interface ForeignPublication {
  readonly name: string;
  readonly tables: string;
  readonly filtered: boolean;
}

/** Publications come along in the snapshot; nobody reads them on the target before somebody subscribes there. */
export const foreignPublications = databaseCheck<ForeignPublication>(
  'foreign-publications',
  (session, { migration }) =>
    queryRows(
      session,
      `SELECT p.pubname AS name,
              CASE WHEN p.puballtables THEN 'all tables'
                   ELSE (SELECT count(*) FROM pg_publication_rel r WHERE r.prpubid = p.oid) || ' tables' END AS tables,
              EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = p.oid
                         AND (to_jsonb(r) ->> 'prqual' IS NOT NULL OR to_jsonb(r) ->> 'prattrs' IS NOT NULL)) AS filtered
         FROM pg_publication p WHERE p.pubname <> $1 ORDER BY 1`,
      [publicationName(migration)],
    ),
  (found) => {
    const code = 'foreign-publications';
    if (found.length === 0) return { code, level: 'ok', message: 'nobody else publishes tables' };
    const lines = found.map(
      ({ database, name, tables, filtered }) =>
        `${database}: ${name} (${tables}${filtered ? ', with row filters or column lists' : ''})`,
    );
    return {
      code,
      level: 'ok',
      message: `${counted(found.length, 'publication')} of others, which come along: ${named(lines)}`,
      evidence: evidenceOf(lines),
    };
  },
);

interface CallingOut {
  readonly trigger: string;
  readonly table: string;
  readonly calls: string;
}

/** What a function's text has to have in it for a call to leave the server. */
const CALLS = String.raw`\m(aws_lambda\.|aws_s3\.|aws_commons\.|dblink(_\w+)?\s*\(|net\.http_|http(_get|_post|_put|_patch|_delete|_head)?\s*\()`;

/**
 * Triggers whose function calls another system: Lambda, S3, another database, HTTP. They don't fire while changes are
 * applied, but from the cutover on, from the target: it needs the same IAM roles and a way through the network.
 */
export const callingOut = databaseCheck<CallingOut>(
  'calling-out',
  (session) =>
    queryRows(
      session,
      `WITH far AS MATERIALIZED (SELECT relname FROM pg_class WHERE relkind = 'f'),
       -- Each function once, however many triggers call it.
       functions AS MATERIALIZED (
         SELECT p.oid, coalesce(
                  (regexp_match(p.prosrc, $1, 'i'))[1],
                  (SELECT 'foreign table ' || relname FROM far
                    WHERE p.prosrc ~ ('\\m' || regexp_replace(relname, '\\W', '\\\\\\&', 'g') || '\\M') LIMIT 1)) AS calls
           FROM pg_proc p WHERE p.oid IN (SELECT tgfoid FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'))
       SELECT format('%I', t.tgname) AS "trigger", ${RELATION} AS "table", f.calls
         FROM functions f JOIN pg_trigger t ON t.tgfoid = f.oid
         JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE f.calls IS NOT NULL AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgparentid = 0 AND ${USER_SCHEMAS}
        ORDER BY 2, 1`,
      [CALLS],
    ),
  (found) => {
    const code = 'calling-out';
    if (found.length === 0) return { code, level: 'ok', message: 'no trigger is known to call another system' };
    const lines = found.map(
      ({ database, table, trigger, calls }) => `${database}: ${trigger} on ${table} (${calls.trim()})`,
    );
    return {
      code,
      level: 'warn',
      message: `${counted(found.length, 'trigger')} that call other systems: ${named(lines)}. From the cutover on the target calls them: it needs the IAM roles, extensions and network paths of the source.`,
      remedy: script(
        found.map(({ database, table, trigger }) => ({
          database,
          sql: `ALTER TABLE ${table} DISABLE TRIGGER ${trigger};`,
        })),
        'THAT TURNS THEM OFF. To keep them, make sure that the target may call, then acknowledge this in the plan',
      ),
      evidence: evidenceOf(lines),
    };
  },
);
