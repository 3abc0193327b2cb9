import type { Board, BoardLine } from './board';
import { bytes } from './format';
import type { LagPoint } from './report';
import type { Approval, GateName } from './gates';
import { type Phase, type StepName, STEP_NAMES, STEPS } from './steps';

export type MigrationStatus =
  'running' | 'waiting' | 'parked' | 'aborting' | 'aborted' | 'failed' | 'rolled-back' | 'completed';
export type StepStatus = 'pending' | 'running' | 'done' | 'skipped' | 'failed';

export interface StepProgress {
  readonly name: StepName;
  readonly phase: Phase;
  status: StepStatus;
  /** ISO 8601, workflow time. */
  startedAt?: string;
  endedAt?: string;
  /** What came of it, in a few words. */
  note?: string;
}

/** Lag of the target behind the source, measured on the source (docs/how-it-works.md, "Lag"). */
export interface Lag {
  bytes: number;
  trend: 'falling' | 'steady' | 'rising';
  /** ISO 8601. */
  at: string;
  /** While it falls: when it is gone at the present pace, in milliseconds. */
  goneInMs?: number;
  /** What the guard saw of the source beside the lag. */
  source?: SourceHealth;
}

/** How the source bears the migration, as the guard last saw it (docs/how-it-works.md, "The source guard"). */
export interface SourceHealth {
  /** WAL that the source keeps for that slot of ours which keeps most, in bytes. */
  readonly retainedBytes: number;
  /** WAL that may still be written before PostgreSQL gives up that slot, in bytes; absent: no ceiling. */
  readonly safeWalBytes?: number;
  readonly freeStorageBytes?: number;
  readonly freeStoragePercent?: number;
  /** When the storage is full at the present pace, in milliseconds; absent: it does not fill, or nobody knows. */
  readonly storageFullInMs?: number;
  /** When PostgreSQL gives up a slot at the present pace, in milliseconds. */
  readonly slotLostInMs?: number;
  readonly oldestTransactionMs?: number;
  /** Transactions since the oldest catalog row that our slots keep from being vacuumed. */
  readonly catalogXminAge?: number;
  /** What decoding for our slots has written to disk since the server's statistics began, in bytes (14+). */
  readonly spilledBytes?: number;
  /** Databases whose schema, grants or settings are not what they were at capture. */
  readonly changedSchemas?: readonly string[];
}

/** What the guard of the source comes back with. */
export interface GuardReport extends Lag {
  /** The lag at the looks since the report before, thinned out; oldest first. */
  readonly history?: readonly LagPoint[];
  /** What an operator should look at. `code` stays the same while it lasts: each is noticed once, and once when it is over. */
  readonly warnings?: readonly { readonly code: string; readonly text: string }[];
}

export interface OpenGate {
  readonly name: GateName;
  /** Counts every opening of a gate of this migration, from 1. */
  readonly opening: number;
  readonly openedAt: string;
  /** What the approver should know: what was found, what will happen. */
  readonly findings: readonly string[];
  /** The Temporal CLI command that approves. */
  readonly command: string;
  /** How many people have to approve it, and who has; absent where one is enough and none has. */
  readonly approvals?: { readonly needed: number; readonly by: readonly string[] };
}

/** What keeps the gate `cutover` closed. */
export interface Blocked {
  readonly lines: readonly BoardLine[];
  /** The Temporal CLI command that waives the first one that can be waived. */
  readonly command?: string;
}

/** Somebody has to move the traffic by hand, and to say so. */
export interface Switching {
  /** Where to: `address:port`. */
  readonly to: string;
  /** The Temporal CLI command that says that it is done. */
  readonly command: string;
}

export interface Parked {
  readonly step: StepName;
  /** A type of plan/failures.ts. */
  readonly type: string;
  readonly message: string;
  readonly details?: unknown;
}

/** An activity whose attempts fail, and which is tried again for as long as it takes. */
export interface Retrying {
  /** Its type. */
  readonly activity: string;
  /** The attempt that failed last when the worker told of it; attempts since are in `keyshift status`. */
  readonly attempt: number;
  /** When the first one failed. ISO 8601. */
  readonly since: string;
  /** What it failed with. */
  readonly message: string;
}

/** What a worker tells of an activity: that its attempts fail, or that it goes on. */
export type RetryingInput = Retrying | { readonly activity: string; readonly over: true };

/** As a line for people. */
export const retryingText = ({ activity, attempt, since, message }: Retrying): string =>
  `${activity} has been failing since ${since.slice(0, 19)}Z and is tried again (attempt ${attempt}): ${message}`;

/** Something that happened and that an operator may want to know: a refused signal, a pause given up. */
export interface Notice {
  readonly at: string;
  readonly text: string;
}

/** The way back, once applications are on the target. */
export interface WayBack {
  /** `lost`: its slots had to be given up, or it broke; there is no rollback any more. */
  state: 'replicating' | 'lost';
  /** ISO 8601. */
  readonly since: string;
  /** The Temporal CLI command that rolls back. */
  readonly command: string;
  /** Why it is lost. */
  why?: string;
}

/** While applications live on the target, until `decommission` is approved. */
export interface Soak {
  /** ISO 8601: that gate opens no sooner, by the plan. */
  readonly notBefore?: string;
  /** ISO 8601: since then the old source is stopped, by the plan. */
  stoppedAt?: string;
  /** What the old source costs meanwhile, a line for each instance. */
  readonly costs: readonly string[];
}

/** How long the way back is open, how far the old source is behind, and what it costs: as lines for people. */
export function soakLines({ wayBack, soak, lag }: Progress): string[] {
  const until = soak?.notBefore ? `, which opens no sooner than ${soak.notBefore.slice(0, 16).replace('T', ' ')}Z` : '';
  // The lag of the time before the switch was that of the target.
  const behind = wayBack && lag && lag.at >= wayBack.since ? `; the old source is ${bytes(lag.bytes)} behind` : '';
  return [
    ...(wayBack?.state === 'replicating'
      ? [`way back: open until the gate decommission is approved${until}${behind}`]
      : wayBack
        ? [`NO WAY BACK: ${wayBack.why ?? ''}`]
        : []),
    ...(soak?.costs ?? []).map((cost) => `old source ${cost}`),
    ...(soak?.stoppedAt ? [`old source: ${stoppedText(soak.stoppedAt)}`] : []),
  ];
}

/** What a stopped source means for who pays for it. */
export const stoppedText = (at: string): string =>
  `stopped since ${at.slice(0, 16).replace('T', ' ')}Z; meanwhile AWS charges its storage and backups, and no instance hours`;

/** The answer of the query `progress`. */
export interface Progress {
  readonly migration: string;
  phase: Phase;
  status: MigrationStatus;
  readonly steps: StepProgress[];
  gate?: OpenGate;
  /** The last look at the go / no-go board. */
  board?: Board;
  blocked?: Blocked;
  switching?: Switching;
  parked?: Parked;
  /** Activities that have been failing for a while, and are tried again. */
  retrying?: Retrying[];
  lag?: Lag;
  /** Once applications are on the target: whether what they write goes back to the source. */
  wayBack?: WayBack;
  /** From the look at who is connected where until `decommission` is approved. */
  soak?: Soak;
  /** Oldest first; bounded. */
  notices: Notice[];
  approvals: Approval[];
  /** Undo steps of an abort, in the order in which they ran. */
  undone: { name: string; ok: boolean; message?: string }[];
}

/** @param also steps that only some plans have */
export function newProgress(migration: string, also: { readonly stopsSource?: boolean } = {}): Progress {
  return {
    migration,
    phase: 'inspect',
    status: 'running',
    steps: STEP_NAMES.filter(
      (name) => STEPS[name].phase !== 'rollback' && (name !== 'stop-source' || also.stopsSource),
    ).map(pending),
    notices: [],
    approvals: [],
    undone: [],
  };
}

const pending = (name: StepName): StepProgress => ({ name, phase: STEPS[name].phase, status: 'pending' });

/** The step of that name. Those of a rollback come into the progress when they begin. */
export function stepOf(progress: Progress, name: StepName): StepProgress {
  const known = progress.steps.find((candidate) => candidate.name === name);
  if (known) return known;
  const step = pending(name);
  progress.steps.push(step);
  return step;
}
