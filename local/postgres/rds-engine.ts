import type { Client } from 'pg';
import { escapeIdentifier, escapeLiteral } from 'pg';
import type { PostgresServer } from './server';

/**
 * What RDS's own build of PostgreSQL lets a member of `rds_superuser` do that plain PostgreSQL reserves to superusers, done for plain PostgreSQL in SQL:
 * publications, subscriptions (before PostgreSQL 16), event triggers, functions of replication origins, `session_replication_role` (from 15 on).
 * For one command, inside of its transaction, an event trigger of `rdsadmin` makes such a role a superuser and takes it away again; no other session ever
 * sees it. Extensions need nothing of this: `trusted` in their control files (binaries.ts) runs their scripts as `rdsadmin`, who owns what they make, as on RDS.
 * docs/local.md says what differs.
 */

/** Roles that an instance of RDS has from the start, and what they are members of. Once per server, before `createMaster`. */
const ROLES = [
  'CREATE ROLE rds_superuser NOLOGIN',
  'CREATE ROLE rds_replication NOLOGIN',
  'CREATE ROLE rds_password NOLOGIN',
  'CREATE ROLE rds_iam NOLOGIN',
  'GRANT pg_monitor, pg_signal_backend, rds_replication, rds_password TO rds_superuser WITH ADMIN OPTION',
];

/**
 * What came with a major. Predefined roles are granted with ADMIN but without INHERIT and SET, so that they hide no mistake; before 16 a member inherits always,
 * and whoever has CREATEROLE may grant them anyway.
 */
const SINCE: Readonly<Record<number, readonly string[]>> = {
  15: [
    'GRANT SET ON PARAMETER session_replication_role TO rds_superuser',
    'GRANT pg_checkpoint TO rds_superuser WITH ADMIN OPTION',
  ],
  16: [
    'GRANT pg_create_subscription TO rds_superuser WITH ADMIN OPTION',
    'GRANT pg_read_all_data, pg_write_all_data TO rds_superuser WITH ADMIN TRUE, INHERIT FALSE, SET FALSE',
  ],
};

/**
 * One elevated command at a time in the whole server: two that change the same row of `pg_authid` at once fail with "tuple concurrently updated". An advisory
 * lock would be one of the database; this catalog is shared, and nothing else locks it.
 */
export const ONE_AT_A_TIME = 'LOCK TABLE pg_catalog.pg_shseclabel IN SHARE ROW EXCLUSIVE MODE';

/** In each of template0, template1 and postgres; databases that are made later inherit it. */
const ENGINE = `
SET allow_system_table_mods = on;
CREATE UNLOGGED TABLE pg_catalog.rds_elevated (who name);
CREATE FUNCTION pg_catalog.rds_end_elevation() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $f$
BEGIN
  EXECUTE format('ALTER ROLE %I NOSUPERUSER', NEW.who);
  DELETE FROM pg_catalog.rds_elevated WHERE who = NEW.who;
  RETURN NULL;
END $f$;
CREATE CONSTRAINT TRIGGER rds_end_elevation AFTER INSERT ON pg_catalog.rds_elevated DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION rds_end_elevation();
ALTER TABLE pg_catalog.rds_elevated ENABLE ALWAYS TRIGGER rds_end_elevation;
CREATE FUNCTION pg_catalog.rds_engine() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $f$
DECLARE
  version int := current_setting('server_version_num');
  who name := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
  plain bool := EXISTS (SELECT FROM pg_roles WHERE rolname = who AND NOT rolsuper AND pg_has_role(oid, 'rds_superuser', 'USAGE'));
  allowed text := coalesce(nullif(current_setting('rds.allowed_extensions', true), ''), '*');
  found text;
BEGIN
  IF tg_event = 'ddl_command_start' THEN
    IF plain AND (tg_tag = 'CREATE PUBLICATION' OR version < 160000) AND has_database_privilege(who, current_database(), 'CREATE') THEN
      ${ONE_AT_A_TIME};
      EXECUTE format('ALTER ROLE %I SUPERUSER', who);
      PERFORM set_config('rds.elevated', who, true);
    END IF;
    RETURN;
  END IF;
  IF tg_tag IN ('CREATE EXTENSION', 'ALTER EXTENSION') THEN
    SELECT e.extname INTO found FROM pg_event_trigger_ddl_commands() c JOIN pg_extension e ON c.classid = 'pg_extension'::regclass AND e.oid = c.objid
     WHERE session_user <> 'rdsadmin' AND allowed <> '*' AND e.extname <> ALL (regexp_split_to_array(allowed, '\\s*,\\s*'));
    IF found IS NOT NULL THEN
      RAISE EXCEPTION 'extension "%" is not allowed', found USING ERRCODE = '42501', DETAIL = 'rds.allowed_extensions does not list it.';
    END IF;
    FOR found IN SELECT CASE d.classid WHEN 'pg_proc'::regclass THEN 'EXECUTE ON FUNCTION ' || d.objid::regprocedure
                        ELSE 'USAGE ON FOREIGN DATA WRAPPER ' || (SELECT quote_ident(fdwname) FROM pg_foreign_data_wrapper WHERE oid = d.objid) END
                   FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND d.refclassid = 'pg_extension'::regclass
                  WHERE d.deptype = 'e' AND d.classid IN ('pg_proc'::regclass, 'pg_foreign_data_wrapper'::regclass)
                    AND e.extname IN ('pg_walinspect', 'postgres_fdw', 'dblink', 'pg_prewarm', 'pg_buffercache', 'pgstattuple') LOOP
      EXECUTE 'GRANT ' || found || ' TO rds_superuser';
    END LOOP;
    RETURN;
  END IF;
  IF tg_tag = 'CREATE FUNCTION' THEN
    -- CREATE EVENT TRIGGER fires no event trigger: whoever has made a function for one may make it until the end of this transaction.
    IF plain AND EXISTS (SELECT FROM pg_event_trigger_ddl_commands() c JOIN pg_proc p ON p.oid = c.objid
                          WHERE c.classid = 'pg_proc'::regclass AND p.prorettype = 'event_trigger'::regtype) THEN
      ${ONE_AT_A_TIME};
      EXECUTE format('ALTER ROLE %I SUPERUSER', who);
      INSERT INTO pg_catalog.rds_elevated VALUES (who);
    END IF;
    RETURN;
  END IF;
  IF current_setting('rds.elevated', true) = who THEN
    EXECUTE format('ALTER ROLE %I NOSUPERUSER', who);
    PERFORM set_config('rds.elevated', '', true);
    SELECT min(p.prrelid::regclass::text) INTO found FROM pg_event_trigger_ddl_commands() c
      JOIN pg_publication_rel p ON p.prpubid = c.objid JOIN pg_class t ON t.oid = p.prrelid
     WHERE c.classid = 'pg_publication'::regclass AND NOT pg_has_role(who, t.relowner, 'USAGE');
    IF found IS NOT NULL THEN RAISE EXCEPTION 'must be owner of table %', found USING ERRCODE = '42501'; END IF;
  END IF;
END $f$;
REVOKE ALL ON FUNCTION pg_catalog.rds_engine(), pg_catalog.rds_end_elevation() FROM PUBLIC;
-- Named so that they are the last to begin and the first to end: nobody's event trigger runs in between.
CREATE EVENT TRIGGER "~rds" ON ddl_command_start WHEN TAG IN ('CREATE PUBLICATION', 'CREATE SUBSCRIPTION') EXECUTE FUNCTION rds_engine();
CREATE EVENT TRIGGER "!rds" ON ddl_command_end WHEN TAG IN ('CREATE PUBLICATION', 'CREATE SUBSCRIPTION', 'CREATE EXTENSION',
  'ALTER EXTENSION', 'CREATE FUNCTION') EXECUTE FUNCTION rds_engine();
ALTER EVENT TRIGGER "~rds" ENABLE ALWAYS;
ALTER EVENT TRIGGER "!rds" ENABLE ALWAYS;
-- PostgreSQL 13 asks for a superuser inside of these functions, whoever may execute them: a definer's function of the same name around each.
DO $$
DECLARE f record;
BEGIN
  FOR f IN SELECT oid::regprocedure AS signature, proname, pg_get_function_identity_arguments(oid) AS arguments, pg_get_function_result(oid) AS result,
                  (SELECT string_agg('$' || n, ', ') FROM generate_series(1, pronargs) n) AS passed, CASE WHEN proisstrict THEN 'STRICT' ELSE '' END AS strictly
             FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proname LIKE 'pg\\_replication\\_origin\\_%' LOOP
    IF current_setting('server_version_num')::int < 140000 THEN
      EXECUTE format('ALTER FUNCTION %s RENAME TO %I', f.signature, 'rds' || f.proname);
      EXECUTE format('CREATE FUNCTION pg_catalog.%I(%s) RETURNS %s LANGUAGE sql SECURITY DEFINER %s AS %L', f.proname, f.arguments, f.result, f.strictly,
                     format('SELECT pg_catalog.%I(%s)', 'rds' || f.proname, f.passed));
      EXECUTE format('REVOKE ALL ON FUNCTION pg_catalog.%I(%s) FROM PUBLIC', f.proname, f.arguments);
    END IF;
    EXECUTE format('GRANT EXECUTE ON FUNCTION pg_catalog.%I(%s) TO rds_superuser', f.proname, f.arguments);
  END LOOP;
END $$;
`;

/**
 * Makes plain PostgreSQL behave towards members of `rds_superuser` as RDS does. Once, on a server that was just initialised, as `rdsadmin`.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.rds_superuser.html
 */
export async function installRdsEngine(server: PostgresServer, major: number): Promise<void> {
  await server.withSession(async (client) => {
    const grants = Object.entries(SINCE).flatMap(([since, statements]) => (major >= Number(since) ? statements : []));
    await runAll(client, [...ROLES, ...grants, 'ALTER DATABASE template0 ALLOW_CONNECTIONS true']);
  });
  for (const database of ['template0', 'template1', 'postgres']) {
    await server.withSession((client) => client.query(ENGINE), database);
  }
  await server.withSession((client) => client.query('ALTER DATABASE template0 ALLOW_CONNECTIONS false'));
}

/** Makes a master user as RDS has it: no superuser, member of `rds_superuser`, owner of the database `postgres`. */
export async function createMaster(server: PostgresServer, name: string, password: string): Promise<void> {
  const master = escapeIdentifier(name);
  await server.withSession((client) =>
    runAll(client, [
      // REPLICATION follows the membership in rds_replication (replication-roles.ts); at once for the one who has it from the start.
      `CREATE ROLE ${master} LOGIN REPLICATION CREATEDB CREATEROLE PASSWORD ${escapeLiteral(password)} VALID UNTIL 'infinity'`,
      `GRANT rds_superuser TO ${master} WITH ADMIN OPTION`,
      `ALTER DATABASE postgres OWNER TO ${master}`,
    ]),
  );
}

async function runAll(client: Client, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await client.query(statement);
}
