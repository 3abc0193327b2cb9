import type { Check } from '../../plan/checks';
import { type Access, escapeIdentifier, queryOne, queryRows, type Session } from '../postgres/session';

const code = 'source-privileges';
/** More names than this are counted, not listed. */
const NAMED = 5;

/** What a role may not do that a migration needs, each with the statement that would allow it. */
export interface Lack {
  readonly what: string;
  readonly grant: string;
}

/**
 * What the master user has to be able to do in the whole server. On RDS membership in `rds_superuser` brings it; on plain
 * PostgreSQL only a superuser has it.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.rds_superuser.html
 */
export async function serverLacks(session: Session, username: string): Promise<Lack[]> {
  const can = await queryOne<{
    superuser: boolean;
    publishes: boolean;
    replicates: boolean;
    origins: boolean;
    signals: boolean;
  }>(
    session,
    `WITH member AS (
       SELECT coalesce(bool_or(pg_has_role(current_user, oid, 'member')) FILTER (WHERE rolname = 'rds_superuser'), false) AS rds_superuser,
              coalesce(bool_or(pg_has_role(current_user, oid, 'member')) FILTER (WHERE rolname = 'rds_replication'), false) AS rds_replication
         FROM pg_roles)
     SELECT r.rolsuper AS superuser,
            r.rolsuper OR m.rds_superuser AS publishes,
            r.rolsuper OR r.rolreplication OR m.rds_superuser OR m.rds_replication AS replicates,
            has_function_privilege('pg_replication_origin_advance(text, pg_lsn)', 'execute') AS origins,
            r.rolsuper OR m.rds_superuser OR pg_has_role(current_user, 'pg_signal_backend', 'member') AS signals
       FROM pg_roles r, member m WHERE r.rolname = current_user`,
  );
  const user = escapeIdentifier(username);
  const role = `GRANT rds_superuser TO ${user};`;
  return [
    ...(can.publishes
      ? []
      : [{ what: 'membership in rds_superuser (publications of all tables, subscriptions)', grant: role }]),
    ...(can.replicates ? [] : [{ what: 'replication', grant: `GRANT rds_replication TO ${user};` }]),
    ...(can.origins ? [] : [{ what: 'EXECUTE on pg_replication_origin_advance', grant: role }]),
    ...(can.signals ? [] : [{ what: 'ending sessions of others', grant: `GRANT pg_signal_backend TO ${user};` }]),
  ];
}

/**
 * What it has to be able to do in one database: let the replication role connect, create a schema and a publication, read every table and sequence, set
 * sequences, and, from PostgreSQL 16 on, become the owner of every table, as whom changes are applied.
 * @see https://www.postgresql.org/docs/current/logical-replication-security.html
 */
export async function databaseLacks(session: Session, database: string, username: string): Promise<Lack[]> {
  const lacks = await queryRows<Lack & { readonly option: string }>(
    session,
    `WITH relation AS (
       SELECT c.oid, c.relkind, c.relowner, format('%I.%I', n.nspname, c.relname) AS name
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'S') AND c.relpersistence = 'p'
          AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'),
     unreadable AS (
       SELECT count(*) AS n, (array_agg(name ORDER BY name))[1:${NAMED}] AS named FROM relation
        WHERE CASE relkind WHEN 'r' THEN NOT has_table_privilege(oid, 'SELECT')
                           ELSE NOT (has_sequence_privilege(oid, 'SELECT') AND has_sequence_privilege(oid, 'UPDATE')) END),
     owners AS (SELECT DISTINCT relowner FROM relation WHERE relkind = 'r'),
     strange AS (
       SELECT string_agg(format('%I', pg_get_userbyid(relowner)), ', ') AS roles FROM owners
        WHERE current_setting('server_version_num')::int >= 160000 
          AND NOT pg_has_role(current_user, relowner, CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END))
     SELECT 'CREATE on database ' || current_database() AS what,
            format('GRANT CREATE ON DATABASE %I TO ', current_database()) AS "grant", '' AS option
      WHERE NOT has_database_privilege(current_database(), 'CREATE')
     UNION ALL
     SELECT format('reading %s of its tables and sequences (%s)', n, array_to_string(named, ', ')),
            'GRANT pg_read_all_data TO ', '' FROM unreadable WHERE n > 0
     UNION ALL
     SELECT 'membership in the owners of its tables: ' || roles, 'GRANT ' || roles || ' TO ', '' FROM strange WHERE roles IS NOT NULL
     UNION ALL
     SELECT 'the right to let the replication role connect: PUBLIC may not',
            format('GRANT CONNECT ON DATABASE %I TO ', current_database()), ' WITH GRANT OPTION' FROM pg_database
      WHERE datname = current_database() AND NOT has_database_privilege('public', oid, 'CONNECT')
        AND NOT (pg_has_role(datdba, 'USAGE') OR has_database_privilege(oid, 'CONNECT WITH GRANT OPTION'))`,
  );
  return lacks.map(({ what, grant, option }) => ({
    what: `${database}: ${what}`,
    grant: `${grant}${escapeIdentifier(username)}${option};`,
  }));
}

export function checkPrivileges({ credentials }: Access, lacks: readonly Lack[]): Check {
  const { username } = credentials;
  if (lacks.length === 0) return { code, level: 'ok', message: `${username} may do everything that is needed` };
  return {
    code,
    level: 'block',
    message: `${username} lacks: ${lacks.map(({ what }) => what).join('; ')}.`,
    remedy: `Name the secret of the master user in source.secret, or run: ${[...new Set(lacks.map(({ grant }) => grant))].join(' ')}`,
  };
}
