import type { Draft, DraftRole, Feature } from '../draft';
import { asService, giveTo, ident, literal } from '../sql';
import { tableFor } from './table-features';

const nameOf = (draft: Draft): string => ident(draft.names.next());
const access = (kind: string, name: string, add: Feature['add'], more: Partial<Feature> = {}): Feature => ({
  name: `${kind}: ${name}`,
  add,
  ...more,
});

/** A role of the server; where one is enough, one that is there. */
function newRole(draft: Draft, options = ''): string {
  const { server } = draft;
  const name = server.names.next();
  server.before.push(`CREATE ROLE ${ident(name)} ${options}`);
  return ident(name);
}

const ownerOf = (draft: Draft): DraftRole => draft.random.pick(draft.server.owners);

/** Roles, rights and defaults. */
export const ACCESS_FEATURES: readonly Feature[] = [
  access('owner', 'of a table', (draft) => void draft.run(...giveTo(tableFor(draft).label, ownerOf(draft)))),
  access('owner', 'of a schema and all that is in it', (draft) => {
    const [owner, schema] = [ident(ownerOf(draft).name), draft.names.next()];
    const label = `${ident(schema)}.${nameOf(draft)}`;
    draft.run(
      `CREATE SCHEMA ${ident(schema)} AUTHORIZATION ${owner}`,
      `SET ROLE ${owner}`,
      `CREATE TABLE ${label} (id bigserial PRIMARY KEY, note text)`,
      `INSERT INTO ${label} (note) SELECT 'owned' FROM generate_series(1, 10)`,
      'RESET ROLE',
    );
    draft.schemas.push(schema);
    draft.traffic.push((random) => `INSERT INTO ${label} (note) VALUES ('more ${random.below(99)}')`);
  }),
  access('grant', 'on columns, with grant option', (draft) => {
    const one = tableFor(draft);
    const [first] = one.columns;
    const grantee = newRole(draft);
    draft.run(`GRANT SELECT, REFERENCES ON ${one.label} TO ${grantee} WITH GRANT OPTION`);
    if (first)
      draft.run(
        `GRANT UPDATE (${ident(first.name)}), INSERT (${ident(first.name)}) ON ${one.label} TO ${grantee}, PUBLIC`,
      );
  }),
  access('grant', 'on a database, a schema, a type and a language', (draft) => {
    const [grantee, type] = [newRole(draft), draft.place()];
    draft.run(
      `GRANT TEMPORARY ON DATABASE ${ident(draft.database)} TO ${grantee}`,
      `GRANT CREATE ON SCHEMA ${ident(draft.schema())} TO ${grantee}`,
      `CREATE TYPE ${type.label} AS ENUM ('a')`,
      `REVOKE ALL ON TYPE ${type.label} FROM PUBLIC`,
      `GRANT USAGE ON LANGUAGE plpgsql TO ${grantee}`,
    );
  }),
  access('grant', 'default privileges', (draft) => {
    const [grantee, owner] = [newRole(draft), ident(ownerOf(draft).name)];
    draft.run(
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} GRANT SELECT ON TABLES TO ${grantee}`,
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} IN SCHEMA ${ident(draft.schema())} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC`,
    );
  }),
  access(
    'grant',
    'of a built-in function',
    (draft) => void draft.run(asService(`GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_waldir() TO ${newRole(draft)}`)),
  ),
  access('row-level security', 'with policies', (draft) => {
    const one = tableFor(draft);
    // The server refuses it.
    one.writes.copy = false;
    draft.run(
      `ALTER TABLE ${one.label} ENABLE ROW LEVEL SECURITY`,
      `CREATE POLICY ${nameOf(draft)} ON ${one.label} USING (true) WITH CHECK (true)`,
      `CREATE POLICY ${nameOf(draft)} ON ${one.label} AS RESTRICTIVE FOR DELETE TO PUBLIC USING (now() > '2000-01-01')`,
    );
  }),
  access('role', 'logins of all kinds', (draft) => {
    newRole(draft, `LOGIN PASSWORD 'a''b\\c' VALID UNTIL '2099-01-01' CONNECTION LIMIT 5`);
    newRole(draft, 'LOGIN CREATEROLE CREATEDB');
    newRole(draft, 'NOLOGIN NOINHERIT');
  }),
  access('role', 'memberships', (draft) => {
    const [group, member, third] = [newRole(draft), newRole(draft), newRole(draft)];
    const options = draft.major >= 16 ? 'WITH INHERIT FALSE, SET TRUE' : '';
    draft.server.before.push(
      `GRANT ${group} TO ${member} WITH ADMIN OPTION`,
      `GRANT ${group} TO ${third} ${options}`,
      `GRANT pg_monitor TO ${third}`,
    );
  }),
  access('role', 'settings', (draft) => {
    const role = newRole(draft, 'LOGIN');
    draft.server.after.push(
      `ALTER ROLE ${role} SET work_mem = '5MB'`,
      `ALTER ROLE ${role} IN DATABASE ${ident(draft.database)} SET search_path = 'a b', "$user", public`,
      `ALTER ROLE ${role} SET statement_timeout = '1min'`,
      `COMMENT ON ROLE ${role} IS 'a role''s comment'`,
    );
  }),
  access('role', 'whose name begins as those of RDS', (draft) => {
    const name = `rds_${draft.server.names.next(4)}`;
    draft.server.before.push(`CREATE ROLE ${ident(name)} LOGIN`);
  }),
  access('database', 'settings', (draft) => {
    const ofService = [`SET lc_messages = 'C'`, `SET my.own = 'a "quoted" it''s'`];
    const settings = [
      ...ofService,
      `SET "DateStyle" = 'SQL, DMY'`,
      `SET "IntervalStyle" = 'sql_standard'`,
      `SET bytea_output = 'escape'`,
      `SET extra_float_digits = -5`,
      `SET "TimeZone" = 'Asia/Kathmandu'`,
      `SET search_path = 'nowhere', "$user"`,
      `SET statement_timeout = '20s'`,
      `SET standard_conforming_strings = on`,
      `SET xmlbinary = 'hex'`,
      `SET row_security = on`,
      `SET default_transaction_isolation = 'repeatable read'`,
      `SET synchronous_commit = off`,
      `SET quote_all_identifiers = on`,
    ];
    for (const one of new Set(draft.random.some(settings, 8)))
      draft.server.after.push(
        (ofService.includes(one) ? asService : String)(`ALTER DATABASE ${ident(draft.database)} ${one}`),
      );
  }),
  access(
    'database',
    'marked as a template',
    (draft) => void draft.server.after.push(`ALTER DATABASE ${ident(draft.database)} IS_TEMPLATE true`),
  ),
  access('database', 'comment and limit', (draft) => {
    draft.server.after.push(
      `COMMENT ON DATABASE ${ident(draft.database)} IS ${literal(`it's a "database"`)}`,
      `ALTER DATABASE ${ident(draft.database)} CONNECTION LIMIT 50`,
    );
  }),
  access('database', 'that not everybody may connect to', (draft) => {
    const { writer } = draft.server;
    draft.server.after.push(
      `REVOKE CONNECT ON DATABASE ${ident(draft.database)} FROM PUBLIC`,
      `GRANT CONNECT ON DATABASE ${ident(draft.database)} TO ${ident(writer.name)}`,
    );
  }),
];
