import type { Major } from '../../postgres/binaries';

/** What RDS says about a parameter of its PostgreSQL families. */
export interface ParameterDefinition {
  readonly name: string;
  readonly description: string;
  readonly applyType: 'static' | 'dynamic';
  readonly dataType: 'boolean' | 'integer' | 'string' | 'float' | 'list';
  readonly allowedValues?: string;
  readonly modifiable: boolean;
  /** What RDS sets where it differs from the engine, as RDS writes it (formulas included). */
  readonly systemValue?: string | ((major: Major) => string | undefined);
  /** The value that the server gets for a formula. */
  readonly formulaValue?: string;
  readonly since?: Major;
  readonly until?: Major;
}

type Options = Partial<Omit<ParameterDefinition, 'name' | 'description' | 'applyType' | 'dataType'>>;

function define(
  name: string,
  applyType: ParameterDefinition['applyType'],
  dataType: ParameterDefinition['dataType'],
  allowedValues: string | undefined,
  description: string,
  options: Options = {},
): ParameterDefinition {
  return {
    name,
    applyType,
    dataType,
    description,
    modifiable: true,
    ...(allowedValues ? { allowedValues } : {}),
    ...options,
  };
}

const BOOLEAN = '0,1';
const MAX_INT = '2147483647';

/**
 * A part of what `DescribeDBParameters` lists: everything that has to do with replication, logging, connections, memory and timeouts. Names,
 * apply types and ranges are those of PostgreSQL's `guc_tables.c`; which parameter is static, and which value RDS sets, is from
 * https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Parameters.html.
 */
const CATALOG: readonly ParameterDefinition[] = [
  define('autovacuum', 'dynamic', 'boolean', BOOLEAN, 'Starts the autovacuum subprocess.'),
  define(
    'autovacuum_max_workers',
    'static',
    'integer',
    '1-262143',
    'Sets the maximum number of simultaneously running autovacuum worker processes.',
    {
      systemValue: 'GREATEST({DBInstanceClassMemory/64371566592},3)',
      formulaValue: '3',
    },
  ),
  define('autovacuum_naptime', 'dynamic', 'integer', '1-2147483', '(s) Time to sleep between autovacuum runs.', {
    systemValue: '15',
  }),
  define(
    'checkpoint_timeout',
    'dynamic',
    'integer',
    '30-86400',
    '(s) Sets the maximum time between automatic WAL checkpoints.',
  ),
  define('client_encoding', 'dynamic', 'string', undefined, "Sets the client's character set encoding.", {
    modifiable: false,
    systemValue: 'UTF8',
  }),
  define('cron.database_name', 'static', 'string', undefined, 'Database in which pg_cron metadata is kept.'),
  define('cron.log_run', 'static', 'boolean', BOOLEAN, 'Log all jobs runs into the job_run_details table.', {
    systemValue: '1',
  }),
  define(
    'deadlock_timeout',
    'dynamic',
    'integer',
    `1-${MAX_INT}`,
    '(ms) Sets the time to wait on a lock before checking for deadlock.',
  ),
  define(
    'default_transaction_isolation',
    'dynamic',
    'list',
    'serializable,repeatable read,read committed,read uncommitted',
    'Sets the transaction isolation level of each new transaction.',
  ),
  define(
    'default_transaction_read_only',
    'dynamic',
    'boolean',
    BOOLEAN,
    'Sets the default read-only status of new transactions.',
  ),
  define(
    'effective_cache_size',
    'dynamic',
    'integer',
    `1-${MAX_INT}`,
    "(8kB) Sets the planner's assumption about the size of the disk cache.",
    {
      systemValue: '{DBInstanceClassMemory/16384}',
      formulaValue: '65536',
    },
  ),
  define(
    'hot_standby_feedback',
    'dynamic',
    'boolean',
    BOOLEAN,
    'Allows feedback from a hot standby to the primary that will avoid query conflicts.',
  ),
  define(
    'idle_in_transaction_session_timeout',
    'dynamic',
    'integer',
    `0-${MAX_INT}`,
    '(ms) Sets the maximum allowed duration of any idling transaction.',
    {
      systemValue: '86400000',
    },
  ),
  define(
    'idle_replication_slot_timeout',
    'dynamic',
    'integer',
    `0-${MAX_INT}`,
    '(s) Sets the duration a replication slot can remain idle before it is invalidated.',
    { since: 18 },
  ),
  define(
    'idle_session_timeout',
    'dynamic',
    'integer',
    `0-${MAX_INT}`,
    '(ms) Sets the maximum allowed idle time between queries, when not in a transaction.',
    { since: 14 },
  ),
  define(
    'lock_timeout',
    'dynamic',
    'integer',
    `0-${MAX_INT}`,
    '(ms) Sets the maximum allowed duration of any wait for a lock.',
  ),
  define(
    'log_autovacuum_min_duration',
    'dynamic',
    'integer',
    `-1-${MAX_INT}`,
    '(ms) Sets the minimum execution time above which autovacuum actions will be logged.',
    { systemValue: '10000' },
  ),
  define('log_checkpoints', 'dynamic', 'boolean', BOOLEAN, 'Logs each checkpoint.', { systemValue: '1' }),
  define('log_connections', 'dynamic', 'boolean', BOOLEAN, 'Logs each successful connection.', { until: 17 }),
  define(
    'log_connections',
    'dynamic',
    'string',
    undefined,
    'Logs specified aspects of connection establishment and setup.',
    { since: 18 },
  ),
  define('log_disconnections', 'dynamic', 'boolean', BOOLEAN, 'Logs end of a session, including duration.'),
  define('log_duration', 'dynamic', 'boolean', BOOLEAN, 'Logs the duration of each completed SQL statement.'),
  define('log_error_verbosity', 'dynamic', 'list', 'terse,default,verbose', 'Sets the verbosity of logged messages.'),
  define('log_line_prefix', 'dynamic', 'string', undefined, 'Controls information prefixed to each log line.', {
    systemValue: '%t:%r:%u@%d:[%p]:',
  }),
  define('log_lock_waits', 'dynamic', 'boolean', BOOLEAN, 'Logs long lock waits.'),
  define(
    'log_min_duration_statement',
    'dynamic',
    'integer',
    `-1-${MAX_INT}`,
    '(ms) Sets the minimum execution time above which statements will be logged.',
  ),
  define(
    'log_min_error_statement',
    'dynamic',
    'list',
    'debug5,debug4,debug3,debug2,debug1,info,notice,warning,error,log,fatal,panic',
    'Causes all statements generating error at or above this level to be logged.',
  ),
  define(
    'log_min_messages',
    'dynamic',
    'list',
    'debug5,debug4,debug3,debug2,debug1,info,notice,warning,error,log,fatal,panic',
    'Sets the message levels that are logged.',
  ),
  define('log_replication_commands', 'dynamic', 'boolean', BOOLEAN, 'Logs each replication command.'),
  define(
    'log_rotation_age',
    'dynamic',
    'integer',
    '1-1440',
    '(min) Automatic log file rotation will occur after N minutes.',
    { systemValue: '60' },
  ),
  define('log_statement', 'dynamic', 'list', 'none,ddl,mod,all', 'Sets the type of statements logged.'),
  define(
    'log_temp_files',
    'dynamic',
    'integer',
    `-1-${MAX_INT}`,
    '(kB) Logs the use of temporary files larger than this number of kilobytes.',
  ),
  define(
    'logical_decoding_work_mem',
    'dynamic',
    'integer',
    '64-2147483647',
    '(kB) Sets the maximum memory to be used for logical decoding.',
  ),
  define(
    'maintenance_work_mem',
    'dynamic',
    'integer',
    `1024-${MAX_INT}`,
    '(kB) Sets the maximum memory to be used for maintenance operations.',
    {
      systemValue: 'GREATEST({DBInstanceClassMemory*1024/63963136},65536)',
      formulaValue: '65536',
    },
  ),
  define(
    'max_active_replication_origins',
    'static',
    'integer',
    '0-262143',
    'Sets the maximum number of active replication origins.',
    { since: 18 },
  ),
  define('max_connections', 'static', 'integer', '6-262143', 'Sets the maximum number of concurrent connections.', {
    systemValue: 'LEAST({DBInstanceClassMemory/9531392},5000)',
    formulaValue: '100',
  }),
  define(
    'max_locks_per_transaction',
    'static',
    'integer',
    `10-${MAX_INT}`,
    'Sets the maximum number of locks per transaction.',
  ),
  define(
    'max_logical_replication_workers',
    'static',
    'integer',
    '0-262143',
    'Maximum number of logical replication worker processes.',
  ),
  define(
    'max_parallel_workers',
    'dynamic',
    'integer',
    '0-1024',
    'Sets the maximum number of parallel workers that can be active at one time.',
  ),
  define(
    'max_parallel_apply_workers_per_subscription',
    'dynamic',
    'integer',
    '0-1024',
    'Maximum number of parallel apply workers per subscription.',
    { since: 16 },
  ),
  define(
    'max_prepared_transactions',
    'static',
    'integer',
    '0-262143',
    'Sets the maximum number of simultaneously prepared transactions.',
    { systemValue: '0' },
  ),
  define(
    'max_replication_slots',
    'static',
    'integer',
    '5-262143',
    'Sets the maximum number of simultaneously defined replication slots.',
    { systemValue: '20' },
  ),
  define(
    'max_slot_wal_keep_size',
    'dynamic',
    'integer',
    `-1-${MAX_INT}`,
    '(MB) Sets the maximum WAL size that can be reserved by replication slots.',
  ),
  define(
    'max_sync_workers_per_subscription',
    'dynamic',
    'integer',
    '0-262143',
    'Maximum number of table synchronization workers per subscription.',
  ),
  define(
    'max_wal_senders',
    'static',
    'integer',
    '5-262143',
    'Sets the maximum number of simultaneously running WAL sender processes.',
    { systemValue: '20' },
  ),
  define('max_wal_size', 'dynamic', 'integer', `128-${MAX_INT}`, '(MB) Sets the WAL size that triggers a checkpoint.', {
    systemValue: '2048',
    formulaValue: '1024',
  }),
  define(
    'max_worker_processes',
    'static',
    'integer',
    '0-262143',
    'Sets the maximum number of concurrent worker processes.',
    {
      systemValue: 'GREATEST({DBInstanceVCPU*2},8)',
      formulaValue: '8',
    },
  ),
  define('min_wal_size', 'dynamic', 'integer', `32-${MAX_INT}`, '(MB) Sets the minimum size to shrink the WAL to.', {
    systemValue: '192',
    formulaValue: '80',
  }),
  define(
    'password_encryption',
    'dynamic',
    'list',
    'md5,scram-sha-256',
    'Determines the algorithm to use to encrypt the password.',
    {
      systemValue: (major) => (major < 14 ? 'md5' : 'scram-sha-256'),
      formulaValue: 'scram-sha-256',
    },
  ),
  define(
    'rds.accepted_password_auth_method',
    'dynamic',
    'list',
    'md5+scram,scram',
    'Force authentication for connections with passwords stored locally',
    { systemValue: 'md5+scram' },
  ),
  define(
    'rds.allowed_extensions',
    'dynamic',
    'string',
    undefined,
    'List of allowed extensions; names are separated by commas, * for all.',
  ),
  define(
    'rds.restrict_password_commands',
    'static',
    'boolean',
    BOOLEAN,
    'restricts password-related commands to members of rds_password',
    { systemValue: '0' },
  ),
  define('rds.force_ssl', 'dynamic', 'boolean', BOOLEAN, 'Force SSL connections.', {
    systemValue: (major) => (major >= 15 ? '1' : '0'),
  }),
  define(
    'rds.log_retention_period',
    'dynamic',
    'integer',
    '1440-10080',
    'Amazon RDS will delete PostgreSQL log that are older than N minutes.',
    { systemValue: '4320' },
  ),
  define('rds.logical_replication', 'static', 'boolean', BOOLEAN, 'Enables logical decoding.', { systemValue: '0' }),
  define(
    'rds.superuser_variables',
    'static',
    'string',
    undefined,
    'List of superuser-only variables for which we elevate rds_superuser modification statements.',
    {
      modifiable: false,
      systemValue: 'session_replication_role',
    },
  ),
  define(
    'session_replication_role',
    'dynamic',
    'list',
    'origin,replica,local',
    "Sets the session's behavior for triggers and rewrite rules.",
  ),
  define(
    'shared_buffers',
    'static',
    'integer',
    '16-1073741823',
    '(8kB) Sets the number of shared memory buffers used by the server.',
    {
      systemValue: '{DBInstanceClassMemory/32768}',
      formulaValue: '16384',
    },
  ),
  define(
    'shared_preload_libraries',
    'static',
    'list',
    'auto_explain,pg_cron,pg_partman_bgw,pg_stat_statements',
    'Lists shared libraries to preload into server.',
    { formulaValue: '' },
  ),
  define(
    'statement_timeout',
    'dynamic',
    'integer',
    `0-${MAX_INT}`,
    '(ms) Sets the maximum allowed duration of any statement.',
  ),
  define(
    'synchronous_commit',
    'dynamic',
    'list',
    'local,on,off',
    'Sets the current transactions synchronization level.',
  ),
  define(
    'sync_replication_slots',
    'dynamic',
    'boolean',
    BOOLEAN,
    'Enables a physical standby to synchronize logical failover replication slots from the primary server.',
    { since: 17 },
  ),
  define('tcp_keepalives_count', 'dynamic', 'integer', `0-${MAX_INT}`, 'Maximum number of TCP keepalive retransmits.'),
  define('tcp_keepalives_idle', 'dynamic', 'integer', `0-${MAX_INT}`, '(s) Time between issuing TCP keepalives.'),
  define(
    'tcp_keepalives_interval',
    'dynamic',
    'integer',
    `0-${MAX_INT}`,
    '(s) Time between TCP keepalive retransmits.',
  ),
  define(
    'temp_buffers',
    'dynamic',
    'integer',
    '100-1073741823',
    '(8kB) Sets the maximum number of temporary buffers used by each session.',
  ),
  define(
    'timezone',
    'dynamic',
    'string',
    undefined,
    'Sets the time zone for displaying and interpreting time stamps.',
    { systemValue: 'UTC' },
  ),
  define('track_commit_timestamp', 'static', 'boolean', BOOLEAN, 'Collects transaction commit time.'),
  define(
    'transaction_timeout',
    'dynamic',
    'integer',
    `0-${MAX_INT}`,
    '(ms) Sets the maximum allowed duration of any transaction within a session.',
    { since: 17 },
  ),
  define('vacuum_cost_limit', 'dynamic', 'integer', '1-10000', 'Vacuum cost amount available before napping.'),
  define(
    'wal_keep_size',
    'dynamic',
    'integer',
    `0-${MAX_INT}`,
    '(MB) Sets the size of WAL files held for standby servers.',
  ),
  define(
    'wal_receiver_timeout',
    'dynamic',
    'integer',
    '0-3600000',
    '(ms) Sets the maximum wait time to receive data from the sending server.',
    { systemValue: '30000' },
  ),
  define(
    'wal_sender_timeout',
    'dynamic',
    'integer',
    '0-3600000',
    '(ms) Sets the maximum time to wait for WAL replication.',
  ),
  define(
    'work_mem',
    'dynamic',
    'integer',
    `64-${MAX_INT}`,
    '(kB) Sets the maximum memory to be used for query workspaces.',
  ),
];

/** The parameters of a family such as `postgres16`, by name. */
export function parametersOfMajor(major: Major): readonly ParameterDefinition[] {
  return CATALOG.filter(({ since, until }) => major >= (since ?? 0) && major <= (until ?? 99));
}

/** The value that a group without changes shows; undefined where it is the engine's. */
export function systemValueOf(definition: ParameterDefinition, major: Major): string | undefined {
  return typeof definition.systemValue === 'function' ? definition.systemValue(major) : definition.systemValue;
}

/** Whether RDS would take the value. Formulas are taken as they are. */
export function isAllowed(definition: ParameterDefinition, value: string): boolean {
  const { allowedValues, dataType } = definition;
  if (/[{(]/.test(value) && dataType !== 'string') return true;
  if (allowedValues === undefined) return true;
  if (dataType === 'boolean') return ['0', '1'].includes(value);
  const range = /^(-?\d+)-(-?\d+)$/.exec(allowedValues);
  if (range) return /^-?\d+$/.test(value) && Number(value) >= Number(range[1]) && Number(value) <= Number(range[2]);
  const allowed = allowedValues.split(',');
  return definition.name === 'shared_preload_libraries'
    ? value.split(',').every((one) => one === '' || allowed.includes(one.trim()))
    : allowed.includes(value);
}
