/** The phases of a migration, in the order in which they happen (docs/how-it-works.md). */
export const PHASES = [
  'inspect',
  'prepare',
  'capture',
  'clone',
  'attach',
  'follow',
  'cutover',
  'soak',
  'finish',
  /** Only when one was asked for. */
  'rollback',
] as const;
export type Phase = (typeof PHASES)[number];

interface StepDefinition {
  readonly phase: Phase;
  /** What happens, as the runbook says it; shown in the Web UI. */
  readonly title: string;
}

/** Every step of the runbook, in order. A step's key is its name everywhere: progress, failures, docs, logs. */
export const STEPS = {
  preflight: { phase: 'inspect', title: 'check source, plan, key and quotas; nothing is changed' },
  parameters: { phase: 'prepare', title: 'parameter group with logical replication and a ceiling on kept WAL' },
  reboot: { phase: 'prepare', title: 'reboot the source so that static parameters apply' },
  access: { phase: 'prepare', title: 'replication role with a generated password' },
  'replica-identity': { phase: 'capture', title: 'replica identity for tables without one, where the plan wants it' },
  publication: { phase: 'capture', title: 'publication, fence table and provenance mark in each database' },
  slot: { phase: 'capture', title: 'logical replication slot in each database' },
  snapshot: { phase: 'clone', title: 'snapshot of the source' },
  encrypt: { phase: 'clone', title: 'copy of the snapshot, encrypted under the wanted key' },
  restore: { phase: 'clone', title: 'target instance from the encrypted snapshot' },
  position: { phase: 'attach', title: 'the LSN at which the clone ends, from independent sources' },
  quarantine: { phase: 'attach', title: 'switch off what the snapshot brought along and must not run' },
  subscribe: { phase: 'attach', title: 'disabled subscription, origin advanced to the position, enabled' },
  settings: { phase: 'attach', title: 'settings that a restore leaves out; compare every field with the source' },
  'way-back': { phase: 'attach', title: 'way back: disabled subscription on the source; proves the path from there' },
  'catch-up': { phase: 'follow', title: 'let the target apply what the source wrote meanwhile' },
  replicas: { phase: 'follow', title: 'read replicas of the source, rebuilt on the target' },
  refresh: { phase: 'follow', title: 'refresh the materialized views' },
  'warm-up': { phase: 'follow', title: 'read the lazily restored blocks, gather statistics' },
  verify: { phase: 'follow', title: 'compare contents while both sides live' },
  'go-no-go': { phase: 'cutover', title: 'everything green, and an approval' },
  pause: { phase: 'cutover', title: 'fence writes, drain, sequences, switch traffic, release' },
  reverse: { phase: 'soak', title: 'changes of the target go back to the source' },
  resume: { phase: 'soak', title: 'start on the target what was stopped on the source: jobs, subscriptions' },
  proof: { phase: 'soak', title: 'compare everything as of the cutover' },
  watch: { phase: 'soak', title: 'applications on the target, none on the source' },
  'stop-source': { phase: 'soak', title: 'stop the source, as the last lock' },
  soak: { phase: 'soak', title: 'applications live on the target; a rollback loses nothing' },
  decommission: { phase: 'finish', title: 'remove replication, source and intermediate snapshots' },
  evidence: { phase: 'finish', title: 'the report' },
  'rollback-board': { phase: 'rollback', title: 'everything green for the way back' },
  'rollback-pause': {
    phase: 'rollback',
    title: 'the pause in the other direction: applications go back to the source',
  },
  'rollback-proof': { phase: 'rollback', title: 'compare everything as of the rollback' },
  'rollback-undo': { phase: 'rollback', title: 'undo everything but the target, which stays to be looked into' },
} as const satisfies Record<string, StepDefinition>;
export type StepName = keyof typeof STEPS;

export const STEP_NAMES = Object.keys(STEPS) as StepName[];
