/**
 * The stand-in for the extension `pg_cron`, which isn't in the packages of the registry: its tables and functions, as version 1.6
 * has them, in SQL, with its row-level security: everybody sees jobs of their own only. What runs the jobs is `CronRunner`, in place of the background worker of the library.
 * @see https://github.com/citusdata/pg_cron and https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL_pg_cron.html
 */
export const PG_CRON_FILES: Readonly<Record<string, string>> = {
  'pg_cron.control': `comment = 'Stand-in for pg_cron: job scheduler for PostgreSQL'
default_version = '1.6'
relocatable = false
schema = pg_catalog
superuser = true
`,
  'pg_cron--1.6.sql': `\\echo Use "CREATE EXTENSION pg_cron" to load this file. \\quit
DO $check$
BEGIN
  IF current_database() <> coalesce(current_setting('cron.database_name', true), 'postgres') THEN
    RAISE EXCEPTION 'can only create extension in database %', coalesce(current_setting('cron.database_name', true), 'postgres')
      USING DETAIL = 'Jobs must be scheduled from the database configured in cron.database_name, since the pg_cron background worker reads job descriptions from this database.';
  END IF;
END $check$;

CREATE SCHEMA cron;
CREATE SEQUENCE cron.jobid_seq;
CREATE SEQUENCE cron.runid_seq;
CREATE TABLE cron.job (
  jobid bigint PRIMARY KEY DEFAULT nextval('cron.jobid_seq'),
  schedule text NOT NULL,
  command text NOT NULL,
  nodename text NOT NULL DEFAULT 'localhost',
  nodeport int NOT NULL DEFAULT pg_catalog.current_setting('port')::int,
  database text NOT NULL DEFAULT pg_catalog.current_database(),
  username text NOT NULL DEFAULT current_user,
  active boolean NOT NULL DEFAULT true,
  jobname text,
  CONSTRAINT jobname_username_uniq UNIQUE (jobname, username)
);
CREATE TABLE cron.job_run_details (
  jobid bigint,
  runid bigint PRIMARY KEY DEFAULT nextval('cron.runid_seq'),
  job_pid integer,
  database text,
  username text,
  command text,
  status text,
  return_message text,
  start_time timestamptz,
  end_time timestamptz
);
SELECT pg_catalog.pg_extension_config_dump('cron.job', '');
SELECT pg_catalog.pg_extension_config_dump('cron.jobid_seq', '');
SELECT pg_catalog.pg_extension_config_dump('cron.job_run_details', '');
SELECT pg_catalog.pg_extension_config_dump('cron.runid_seq', '');

-- The C functions know their caller and write as the owner of the extension: a definer's function of SQL has to be told who calls.
CREATE FUNCTION cron.write_job(who text, job_name text, schedule text, command text, database text, username text, active boolean) RETURNS bigint
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
  AS $$ INSERT INTO cron.job AS known (jobname, schedule, command, database, username, active)
        VALUES (job_name, schedule, command, coalesce(database, current_database()), coalesce(username, who), active)
        ON CONFLICT ON CONSTRAINT jobname_username_uniq DO UPDATE SET schedule = excluded.schedule, command = excluded.command
        RETURNING jobid $$;
CREATE FUNCTION cron.schedule(schedule text, command text) RETURNS bigint LANGUAGE sql
  AS $$ SELECT cron.write_job(current_user, NULL, schedule, command, NULL, NULL, true) $$;
CREATE FUNCTION cron.schedule(job_name text, schedule text, command text) RETURNS bigint LANGUAGE sql
  AS $$ SELECT cron.write_job(current_user, job_name, schedule, command, NULL, NULL, true) $$;
CREATE FUNCTION cron.schedule_in_database(
  job_name text, schedule text, command text, database text, username text DEFAULT NULL, active boolean DEFAULT true
) RETURNS bigint LANGUAGE sql
  AS $$ SELECT cron.write_job(current_user, job_name, schedule, command, database, username, active) $$;
CREATE FUNCTION cron.delete_job(who text, job_id bigint, job_name text) RETURNS boolean
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
  AS $$ DELETE FROM cron.job WHERE username = who AND (jobid = job_id OR jobname = job_name) RETURNING true $$;
CREATE FUNCTION cron.unschedule(job_id bigint) RETURNS boolean LANGUAGE sql AS $$ SELECT cron.delete_job(current_user, job_id, NULL) $$;
CREATE FUNCTION cron.unschedule(job_name text) RETURNS boolean LANGUAGE sql AS $$ SELECT cron.delete_job(current_user, NULL, job_name) $$;
CREATE FUNCTION cron.change_job(who text, job_id bigint, schedule text, command text, database text, username text, active boolean) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
  AS $$ UPDATE cron.job SET schedule = coalesce(change_job.schedule, job.schedule), command = coalesce(change_job.command, job.command),
               database = coalesce(change_job.database, job.database), username = coalesce(change_job.username, job.username),
               active = coalesce(change_job.active, job.active)
         WHERE jobid = job_id AND job.username = who $$;
CREATE FUNCTION cron.alter_job(
  job_id bigint, schedule text DEFAULT NULL, command text DEFAULT NULL, database text DEFAULT NULL,
  username text DEFAULT NULL, active boolean DEFAULT NULL
) RETURNS void LANGUAGE sql AS $$ SELECT cron.change_job(current_user, job_id, schedule, command, database, username, active) $$;

REVOKE ALL ON FUNCTION cron.schedule_in_database(text, text, text, text, text, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION cron.alter_job(bigint, text, text, text, text, boolean) FROM PUBLIC;
GRANT SELECT ON cron.job TO PUBLIC;
GRANT SELECT, DELETE ON cron.job_run_details TO PUBLIC;
ALTER TABLE cron.job ENABLE ROW LEVEL SECURITY;
CREATE POLICY cron_job_policy ON cron.job USING (username = current_user);
ALTER TABLE cron.job_run_details ENABLE ROW LEVEL SECURITY;
CREATE POLICY cron_job_run_details_policy ON cron.job_run_details USING (username = current_user);
-- What RDS adds: its guide lets rds_superuser use the schema, pass that right on, and change the database of a job.
DO $rds$ BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'rds_superuser') THEN
    GRANT USAGE ON SCHEMA cron TO rds_superuser WITH GRANT OPTION;
    GRANT UPDATE ON cron.job TO rds_superuser;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cron TO rds_superuser WITH GRANT OPTION;
  ELSE
    GRANT USAGE ON SCHEMA cron TO PUBLIC;
  END IF;
END $rds$;
`,
};
