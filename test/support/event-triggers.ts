const MADE = `CREATE OR REPLACE FUNCTION pg_temp.of_rds() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'`;

/**
 * RDS lets its master user make an event trigger; the stand-in only in a transaction that has made a function for one (local/postgres/rds-engine.ts). Statements
 * that make an event trigger, in such a transaction; others as they are.
 */
export const withEventTriggers = (sql: string): string =>
  /\bCREATE EVENT TRIGGER\b/.test(sql) && !/^\s*(SELECT|WITH|BEGIN)\b/.test(sql)
    ? `BEGIN; ${MADE}; ${sql}; COMMIT`
    : sql;
