import { replicationRole } from '../../plan/names';
import type { Dependencies, MigrationRef } from '../dependencies';
import { notOfRds, ofUsers } from '../postgres/rds-roles';
import {
  accessTo,
  escapeIdentifier,
  escapeLiteral,
  queryRows,
  type Session,
  type Side,
  withSession,
} from '../postgres/session';
import { differenceOf } from './sets';

interface Setting {
  readonly database: string | null;
  readonly role: string | null;
  readonly setting: string;
}

/** Parameters whose value is a list of names that is kept as it was quoted (GUC_LIST_QUOTE; as in pg_dump's dumputils.c). */
const LISTS = [
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
];

/** A fence makes databases read-only by it; it is not an operator's setting while one is up. */
const FENCE_PARAMETER = 'default_transaction_read_only';

/**
 * Roles with their attributes, and what `ALTER DATABASE ... SET` and `ALTER ROLE ... SET` say. They came along with the snapshot; what was
 * changed on the source since did not, for logical replication carries none of it.
 */
export async function compareRoleSettings(
  deps: Dependencies,
  ref: MigrationRef,
): Promise<{ compared: number; differences: string[] }> {
  const [source, target] = await Promise.all([read(deps, ref, 'source'), read(deps, ref, 'target')]);
  const fix = (statement: string) => `${ref.plan.target.instance}: run on the target: ${statement}`;
  return {
    compared: source.roles.length + source.settings.length,
    differences: [
      ...differenceOf(source.roles, target.roles).map((role) => fix(`-- role as on the source: ${role}`)),
      ...differenceOf(target.roles, source.roles).map((role) =>
        fix(`-- role only there, or other than on the source: ${role}`),
      ),
      ...differenceOf(source.settings, target.settings).map((line) => fix(statementOf(line, 'SET'))),
      // A changed value is one line above; here what the source does not set at all.
      ...differenceOf(target.settings, source.settings)
        .filter((line) => !source.settings.some((other) => keyOf(other) === keyOf(line)))
        .map((line) => fix(statementOf(line, 'RESET'))),
    ],
  };
}

async function read(deps: Dependencies, ref: MigrationRef, side: Side) {
  const access = await accessTo(deps, ref, side);
  return withSession(access, { step: 'settings', database: 'postgres', readOnly: true }, async (session) => ({
    roles: await rolesOf(session, ref.id),
    settings: await settingsOf(session, ref.id),
  }));
}

/** Attributes that come with memberships on RDS, such as REPLICATION, follow them by themselves. */
async function rolesOf(session: Session, migration: string): Promise<string[]> {
  const rows = await queryRows<{ role: string }>(
    session,
    `SELECT quote_ident(rolname) || CASE WHEN rolcanlogin THEN ' LOGIN' ELSE ' NOLOGIN' END
            || CASE WHEN rolinherit THEN ' INHERIT' ELSE ' NOINHERIT' END
            || CASE WHEN rolcreaterole THEN ' CREATEROLE' ELSE ' NOCREATEROLE' END
            || CASE WHEN rolcreatedb THEN ' CREATEDB' ELSE ' NOCREATEDB' END
            || CASE WHEN rolbypassrls THEN ' BYPASSRLS' ELSE ' NOBYPASSRLS' END
            || ' CONNECTION LIMIT ' || rolconnlimit
            || coalesce(' VALID UNTIL ' || quote_literal(rolvaliduntil::text), '') AS role
       FROM pg_roles WHERE ${ofUsers('rolname')} AND rolname <> $1 ORDER BY 1`,
    [replicationRole(migration)],
  );
  return rows.map(({ role }) => role);
}

async function settingsOf(session: Session, migration: string): Promise<string[]> {
  const rows = await queryRows<Setting>(
    session,
    `SELECT d.datname AS database, r.rolname AS role, unnest(s.setconfig) AS setting
       FROM pg_db_role_setting s
       LEFT JOIN pg_database d ON d.oid = s.setdatabase
       LEFT JOIN pg_roles r ON r.oid = s.setrole
      WHERE coalesce(d.datname, '') <> 'rdsadmin' AND ${notOfRds("coalesce(r.rolname, '')")} AND coalesce(r.rolname, '') <> $1
      ORDER BY 1, 2, 3`,
    [replicationRole(migration)],
  );
  return rows
    .filter(({ setting }) => !setting.startsWith(`${FENCE_PARAMETER}=`))
    .map(({ database, role, setting }) => JSON.stringify({ database, role, setting }));
}

const keyOf = (line: string): string => {
  const { database, role, setting } = JSON.parse(line) as Setting;
  return JSON.stringify([database, role, setting.split('=')[0]]);
};

function statementOf(line: string, verb: 'SET' | 'RESET'): string {
  const { database, role, setting } = JSON.parse(line) as Setting;
  const at = setting.indexOf('=');
  const [name, value] = [setting.slice(0, at), setting.slice(at + 1)];
  const whose =
    role === null
      ? `DATABASE ${escapeIdentifier(database ?? '')}`
      : `ROLE ${escapeIdentifier(role)}${database === null ? '' : ` IN DATABASE ${escapeIdentifier(database)}`}`;
  const shown = LISTS.includes(name) ? value : escapeLiteral(value);
  return `ALTER ${whose} ${verb} ${name}${verb === 'SET' ? ` = ${shown}` : ''};`;
}
