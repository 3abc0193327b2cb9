/** Names under which Temporal knows us; nothing else spells them. */
export const TASK_QUEUE = 'keyshift';
/**
 * The task queue of what runs in a pause and right around it: with slots of its own, so that it never waits for an activity that lasts weeks.
 * @param taskQueue the one that the workflow runs on
 */
export const pauseQueueOf = (taskQueue: string): string => `${taskQueue}-pause`;
export const WORKFLOW_TYPE = 'migrateDatabase';
export const PREFLIGHT_WORKFLOW_TYPE = 'preflightDatabase';

/** Search attributes, all of type Keyword; registered by `keyshift setup` and by the worker when it starts. */
export const SEARCH_ATTRIBUTES = {
  phase: 'KeyshiftPhase',
  source: 'KeyshiftSource',
  target: 'KeyshiftTarget',
  gate: 'KeyshiftGate',
} as const;

/** Names of signals and of the updates of the same name; `retrying` is an update only, of our workers, `progress` and `report` are queries. */
export const MESSAGES = {
  approve: 'approve',
  reject: 'reject',
  abort: 'abort',
  retry: 'retry',
  rollback: 'rollback',
  goNoGo: 'go-no-go',
  waive: 'waive',
  switched: 'switched',
  retrying: 'retrying',
  progress: 'progress',
  report: 'report',
} as const;

/** What the answer of `go-no-go` begins with when nobody could look. */
export const BOARD_UNREADABLE = "the board can't be read: ";

/** Type of the failure of an activity whose worker has no AWS credentials. It is tried again: credentials can come. */
export const NO_CREDENTIALS = 'NoCredentials';

/** The id of a migration is the id of its workflow. */
export const MIGRATION_ID = /^[a-z][a-z0-9-]{0,40}$/;
/**
 * What a new migration may be called: RDS refuses names with two hyphens in a row, and ours hold the id. One that ends in `-final` would have
 * names of AWS resources that another has, too: `x-final` + `encrypted` and `x` + `final-encrypted`. A workflow that runs under another id
 * goes on, so workflow code asks for `MIGRATION_ID` only.
 */
export const isNewMigrationId = (id: string): boolean => MIGRATION_ID.test(id) && !/--|-$|-final$/.test(id);
export const migrationWorkflowId = (migration: string): string => migration;
