/** SQLSTATEs that we act on. @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
export const SQLSTATE = {
  /** invalid_password */
  invalidPassword: '28P01',
  /** invalid_authorization_specification: no such role, or it may not log in */
  invalidAuthorization: '28000',
  /** internal_error */
  internalError: 'XX000',
  /** insufficient_privilege */
  insufficientPrivilege: '42501',
  /** invalid_catalog_name: no such database */
  invalidCatalogName: '3D000',
  /** duplicate_object */
  duplicateObject: '42710',
  /** undefined_object */
  undefinedObject: '42704',
  /** undefined_table */
  undefinedTable: '42P01',
  /** undefined_column */
  undefinedColumn: '42703',
  /** undefined_function */
  undefinedFunction: '42883',
  /** invalid_schema_name: no such schema */
  undefinedSchema: '3F000',
  /** dependent_objects_still_exist */
  dependentObjects: '2BP01',
  /** deadlock_detected */
  deadlockDetected: '40P01',
  /** lock_not_available: `lock_timeout` ended the wait */
  lockNotAvailable: '55P03',
  /** object_in_use: a slot that is read, a database with sessions */
  objectInUse: '55006',
  /** read_only_sql_transaction: also of a server that is in recovery */
  readOnlyTransaction: '25006',
  /** program_limit_exceeded: a value or a text would have more than 1 GB */
  programLimitExceeded: '54000',
  /** out_of_memory */
  outOfMemory: '53200',
  /** query_canceled: `statement_timeout` or `pg_cancel_backend` */
  queryCanceled: '57014',
} as const;
