import { applicationNamePrefix, fenceSchema, postgresName } from '../../plan/names';
import type { MigrationRef } from '../dependencies';
import { escapeIdentifier, escapeLiteral, queryOne, type Session } from '../postgres/session';

/** Event triggers of ours, by what fires them. */
const triggers = (migration: string) =>
  ({ ddl_command_end: postgresName(migration, 'ddl'), sql_drop: postgresName(migration, 'ddl_drop') }) as const;

/** Commands that change no schema, though PostgreSQL counts them as DDL. */
const PASS = ['REFRESH MATERIALIZED VIEW', 'REINDEX', 'CLUSTER', 'COMMENT'];

/**
 * With `ddl.mode: block`, refuses every change of the schema of a database of the source, with a message that names the migration and
 * says how to ask. Temporary objects pass, our own sessions (in the role that makes this: anybody can take their name), rds_superuser, and members of `ddl.passRole`. At the end of the command, since only
 * then is it known what was touched; an error there takes it back. The function lies in our schema, so it goes with it, event triggers
 * included; RDS lets rds_superuser make event triggers.
 * @see https://www.postgresql.org/docs/current/functions-event-triggers.html
 */
export async function createDdlBlock(source: Session, { id, plan }: MigrationRef): Promise<void> {
  if (plan.ddl.mode !== 'block') return;
  const refuse = `${escapeIdentifier(fenceSchema(id))}.refuse_ddl`;
  const { ours } = await queryOne<{ ours: string }>(source, 'SELECT session_user AS ours');
  const passing = ['rds_superuser', ...(plan.ddl.passRole === undefined ? [] : [plan.ddl.passRole])];
  const hint =
    plan.ddl.passRole === undefined
      ? 'Ask whoever runs the migration, or wait until it is over.'
      : `Members of role ${plan.ddl.passRole} may; they have to make the change on ${plan.target.instance} as well.`;
  // One transaction: the function is there with both of its triggers, or nothing is.
  await source.query(
    `BEGIN;
     CREATE OR REPLACE FUNCTION ${refuse}() RETURNS event_trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $keyshift$
     DECLARE touched text;
     BEGIN
       IF (session_user = ${escapeLiteral(ours)} AND starts_with(current_setting('application_name'), ${escapeLiteral(applicationNamePrefix(id))}))
          OR tg_tag = ANY (${escapeLiteral(`{${PASS.map((tag) => `"${tag}"`).join(',')}}`)}::text[])
          OR EXISTS (SELECT FROM pg_roles WHERE rolname = ANY (${escapeLiteral(`{${passing.map((role) => JSON.stringify(role)).join(',')}}`)}::text[])
                      AND pg_has_role(session_user, oid, 'MEMBER')) THEN RETURN; END IF;
       IF tg_event = 'sql_drop' THEN
         SELECT min(object_identity) INTO touched FROM pg_event_trigger_dropped_objects() WHERE NOT is_temporary;
       ELSE
         SELECT min(coalesce(object_identity, 'an object')) INTO touched FROM pg_event_trigger_ddl_commands()
          WHERE schema_name IS DISTINCT FROM 'pg_temp' AND schema_name IS DISTINCT FROM pg_my_temp_schema()::regnamespace::text;
       END IF;
       IF touched IS NULL THEN RETURN; END IF;
       RAISE EXCEPTION '% of % refused: database % is being moved by the Keyshift migration ${id.replaceAll("'", "''")}', tg_tag, touched, current_database()
         USING ERRCODE = 'insufficient_privilege', HINT = ${escapeLiteral(hint)};
     END $keyshift$;
     ${Object.entries(triggers(id))
       .map(
         ([event, name]) =>
           `DROP EVENT TRIGGER IF EXISTS ${escapeIdentifier(name)}; CREATE EVENT TRIGGER ${escapeIdentifier(name)} ON ${event} EXECUTE FUNCTION ${refuse}();`,
       )
       .join('\n     ')}
     COMMIT`,
  );
}

/** On the target, which has them from the snapshot: there the operator's changes have to pass. */
export async function dropDdlBlock(session: Session, migration: string): Promise<void> {
  for (const name of Object.values(triggers(migration))) {
    await session.query(`DROP EVENT TRIGGER IF EXISTS ${escapeIdentifier(name)}`);
  }
}
