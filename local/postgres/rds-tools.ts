/** The setting from which the function reads. */
export const SEED_LSN_SETTING = 'rds.logical_seed_lsn';

/**
 * The stand-in for the extension `rds_tools` of RDS, which isn't public. `logical_seed_lsn()` answers the end of the last WAL record that
 * the first start of a restored instance replayed (facts.md, section 1); NULL on an instance that wasn't restored.
 * The stand-in of RDS hands the value to the server as a setting, since it outlives restarts that way.
 */
export const RDS_TOOLS_FILES: Readonly<Record<string, string>> = {
  'rds_tools.control': `comment = 'Stand-in for the rds_tools extension of Amazon RDS'
default_version = '1.0'
relocatable = false
schema = rds_tools
superuser = true
`,
  'rds_tools--1.0.sql': `\\echo Use "CREATE EXTENSION rds_tools" to load this file. \\quit
CREATE FUNCTION rds_tools.logical_seed_lsn() RETURNS pg_lsn
  LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('${SEED_LSN_SETTING}', true), '')::pg_lsn $$;
`,
};
