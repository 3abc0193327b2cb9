import { ofUsers } from '../../postgres/rds-roles';
import { notIgnored, type Part } from './part';

/** Options of a membership, by the column that has it, since which major version. */
const OPTIONS = [
  { word: 'ADMIN', column: 'admin_option', since: 130_000 },
  { word: 'INHERIT', column: 'inherit_option', since: 160_000 },
  { word: 'SET', column: 'set_option', since: 160_000 },
] as const;
const optionsOf = (version: number) => OPTIONS.filter(({ since }) => version >= since);

/** Since PostgreSQL 16 the same membership may have been granted by several roles, each with options of its own. */
const hasGrantors = (version: number): boolean => version >= 160_000;

/** OID of the role that `initdb` makes: what it granted hangs on nobody's ADMIN OPTION. */
const BOOTSTRAP_SUPERUSER = 10;

/**
 * Memberships as `a`, of `m` in `r`, granted by `g`. On PostgreSQL 16 and later CREATE ROLE makes the role that runs it a member of the new one, with
 * nothing but ADMIN: the master user has such a membership in each role that it made, on either side.
 * @see https://www.postgresql.org/docs/current/role-attributes.html#ROLE-ATTRIBUTES (createrole_self_grant)
 */
const memberships = (
  version: number,
): string => `pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
    LEFT JOIN pg_roles g ON g.oid = a.grantor
  WHERE m.rolname <> $1 AND r.rolname <> $1 AND ${ofUsers('m.rolname')} AND ${notIgnored('m.rolname')} AND ${notIgnored('r.rolname')}
    ${hasGrantors(version) ? `AND NOT (m.rolname = current_user AND a.grantor = ${BOOTSTRAP_SUPERUSER} AND NOT a.inherit_option AND NOT a.set_option)` : ''}`;
const ID = `format('%I in %I', m.rolname, r.rolname)`;

/** With all of its options, since those that a new membership does not name have defaults of their own. */
const grant = (version: number): string =>
  hasGrantors(version)
    ? `format('GRANT %I TO %I WITH ${optionsOf(version)
        .map(({ word }) => `${word} %s`)
        .join(', ')}', r.rolname, m.rolname, ${optionsOf(version)
        .map(({ column }) => `bool_or(a.${column})::text`)
        .join(', ')})`
    : `format('GRANT %I TO %I%s', r.rolname, m.rolname, CASE WHEN bool_or(a.admin_option) THEN ' WITH ADMIN OPTION' ELSE '' END)`;

/**
 * What a grantor gave is taken back in its name: a REVOKE reaches the memberships of one grantor only. What the master user has beyond the source stays, since a
 * remedy of ours may have asked for it.
 */
const revoke = (version: number, what: string, where = ''): string => {
  const statement = `format('REVOKE ${what}%I FROM %I%s', r.rolname, m.rolname, ${
    hasGrantors(version)
      ? `CASE WHEN a.grantor <> ${BOOTSTRAP_SUPERUSER} THEN format(' GRANTED BY %I', g.rolname) ELSE '' END`
      : `''`
  })`;
  const latestFirst = hasGrantors(version) ? ' ORDER BY a.oid DESC' : '';
  return `CASE WHEN m.rolname = current_user THEN '' ELSE string_agg(${statement}, '; '${latestFirst})${where} END`;
};

/** Who granted first stands first: another grant may hang on the ADMIN OPTION that came with it. */
const order = (version: number): string => (hasGrantors(version) ? 'min(a.oid::bigint), 1' : '1');

/**
 * Memberships and their options, as they are in effect: whoever granted them. Options come first, so that they are revoked after the
 * memberships that hang on them.
 */
export const MEMBERSHIP_PARTS: readonly Part[] = [
  {
    kind: 'membership option',
    shared: true,
    inline: true,
    sql: (version) =>
      optionsOf(version)
        .map(
          ({
            word,
            column,
          }) => `(SELECT ${ID} || ' ${word}' AS id, 'membership ' || ${ID} AS parent, '' AS definition, ${grant(version)} AS make, NULL AS alter,
            ${revoke(version, `${word} OPTION FOR `, ` FILTER (WHERE a.${column})`)} AS drop
          FROM ${memberships(version)} GROUP BY r.rolname, m.rolname HAVING bool_or(a.${column}) ORDER BY ${order(version)})`,
        )
        .join(' UNION ALL '),
  },
  {
    kind: 'membership',
    shared: true,
    sql: (
      version,
    ) => `SELECT ${ID} AS id, NULL AS parent, '' AS definition, ${grant(version)} AS make, NULL AS alter, ${revoke(version, '')} AS drop
      FROM ${memberships(version)} GROUP BY r.rolname, m.rolname ORDER BY ${order(version)}`,
  },
];
