import { STRATEGIES } from '../../plan/strategies';

/**
 * Options of a plan on which the order of a workflow's commands depends, and each value that makes a difference (lists: the types of what is in
 * them; numbers: 2 stands for any larger one). Each has to be in a recorded history. `*`: whatever is there.
 */
export const CHANGES_COURSE: Readonly<Record<string, readonly unknown[]>> = {
  strategy: STRATEGIES,
  'gates.reboot-source.approval': [true, false],
  'gates.cutover.approval': [true, false],
  'gates.rollback.approval': [true, false],
  'gates.decommission.approval': [true, false],
  'gates.undo-reboot.approval': [true, false],
  'gates.*.approvers': [1, 2],
  'gates.*.expiresAfterMinutes': ['absent', 1],
  'gates.cutover.window': ['absent', 'given'],
  'gates.cutover.auto': [true, false],
  acknowledge: ['none', 'some'],
  override: ['none', 'some'],
  replicaIdentity: ['require', 'set'],
  'carry.materializedViews': ['refresh', 'keep'],
  'carry.slots': ['leave', 'recreate'],
  'cutover.fence': ['sql', 'stop-instance', 'sql stop-instance'],
  'cutover.traffic': ['none', 'rds-rename', 'manual'],
  'cutover.hooks.before': ['none', 'some'],
  'cutover.hooks.after': ['none', 'some'],
  'soak.wayBack': ['replicate', 'none'],
  'soak.minutes': [0, 1, 2],
  'verify.beforeCutover': [true, false],
  'keep.source': [true, false],
  report: ['absent', 'given'],
};

/** Options that the workflow hands on to activities, or only says in words. */
export const PASSED_ON: readonly string[] = [
  'source',
  'target',
  'databases',
  'guard',
  'ddl',
  'ignore',
  'carry.largeObjects',
  'carry.unloggedTables',
  'carry.subscriptions',
  'carry.cronJobs',
  'carry.sequenceMargin',
  'cutover.pauseBudgetMs',
  'cutover.maxLagBytes',
  'cutover.spareRoles',
  'cutover.poolers',
  'cutover.watchSeconds',
  'verify.workers',
  'verify.dutyPercent',
  'verify.showValues',
  'keep.finalSnapshot',
  'keep.encryptFinalSnapshot',
  'keep.logGroups',
];
