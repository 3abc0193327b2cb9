import type { Waiver } from './board';
import type { Check, SourceFacts } from './checks';
import type { DailyCost } from './daily-cost';
import type { Overridden } from './judge-checks';
import { type Lsn, lsnDistanceBytes } from './lsn';
import type { Plan } from './plan';
import type { Position, SlotFacts } from './position';
import type { MigrationStatus, Progress } from './progress';

/** One step of the pause and how long writes were stopped for it. */
export interface PauseStep {
  readonly step: string;
  readonly ms: number;
}

/** A subscription of the source to another server, which the target goes on with. */
export interface MovedSubscription {
  readonly database: string;
  readonly name: string;
  /** Slot on its publisher; null: it had none. */
  readonly slot: string | null;
  readonly enabled: boolean;
  /** Position on its publisher up to which the source had applied, and the target has by replication. */
  readonly position?: Lsn;
}

/** A job of pg_cron that was active on the source. */
export interface MovedJob {
  readonly database: string;
  readonly id: string;
  readonly name: string | null;
}

/** What wrote on the source by itself, was stopped there in the pause, and goes on on the target. */
export interface Neighbours {
  readonly subscriptions: readonly MovedSubscription[];
  readonly cronJobs: readonly MovedJob[];
}

/** What was copied inside the pause, since no publication has it. */
export interface Carried {
  readonly largeObjects?: { readonly objects: number; readonly moved: number; readonly removed: number };
  readonly unloggedTables?: { readonly tables: number; readonly rows: number };
}

export interface CutoverFacts {
  /** Beside the facts in what the activity of the pause answers; says nothing more. */
  readonly switched?: true;
  readonly timeline: readonly PauseStep[];
  /** From the fence to the release, as the activity saw it, in milliseconds. */
  readonly pauseMs: number;
  /** ISO 8601, clock of the worker that made the switch. */
  readonly switchedAt: string;
  /** Position on the source behind which no write of an application follows. */
  readonly fenceLsn: Lsn;
  /** Roles that can't log in to the source any more. */
  readonly fencedRoles: readonly string[];
  readonly sequences: number;
  /** What each traffic switch held before and holds now; no secrets. */
  readonly traffic: readonly { readonly what: string; readonly from: string; readonly to: string }[];
  readonly attempts: number;
  /** The worker ended after the first switch, and its watchdog moved the rest of the traffic and let clients go on. */
  readonly finishedBy?: 'watchdog';
  /**
   * Position on the side that applications are on now, before their first write there: where the way back begins. A transaction of
   * theirs commits behind it; what replication brought there lies before it.
   */
  readonly wayBackFrom?: Lsn;
  readonly neighbours?: Neighbours;
  readonly carried?: Carried;
  /** Task queue of the process that holds the snapshots of the pause; absent when that process is gone. */
  readonly holder?: string;
  /** Per database, `pg_current_snapshot()` of the target before the release: what the proof compares as of. */
  readonly targetSnapshots: Readonly<Record<string, string>>;
  /** The same of the source: what the way back writes there later isn't of the cutover. */
  readonly sourceSnapshots?: Readonly<Record<string, string>>;
}

/** A row that is not the same on both sides. */
export interface RowDifference {
  /** As PostgreSQL prints it. */
  readonly key: string;
  readonly kind: 'onlyOnSource' | 'onlyOnTarget' | 'different';
  /** `different` only: the columns in which it differs. */
  readonly columns?: readonly string[];
  /** Beginnings of the values; only where the plan says `verify.showValues`. */
  readonly values?: readonly {
    readonly column: string;
    readonly source: string | null;
    readonly target: string | null;
  }[];
}

export interface TableDifference {
  readonly database: string;
  readonly table: string;
  readonly onlyOnSource: number;
  readonly onlyOnTarget: number;
  readonly different: number;
  /** Keys of the first few, as PostgreSQL prints them. */
  readonly examples: readonly string[];
  /** The same rows, each with how it differs. */
  readonly rows?: readonly RowDifference[];
  /** So much differs that the rest of the table was not narrowed down to rows. */
  readonly atLeast?: boolean;
}

export interface Comparison {
  readonly tables: number;
  readonly rows: number;
  readonly differences: readonly TableDifference[];
  /** Rows that changed on the live pair so often that they could not be caught equal or different. */
  readonly undecided: number;
  /** What could not be compared: values too long, or what DDL on one side since the cutover made unreadable; the first of them. */
  readonly notProven?: readonly NotProven[];
  /** How many, where `notProven` doesn't name all. */
  readonly notProvenTables?: number;
  readonly durationMs: number;
}

/** How many things of a kind the two sides have. */
export interface InventoryCount {
  readonly source: number;
  readonly target: number;
}

/** A table, or some of its columns, of which the proof can say nothing. */
export interface NotProven {
  readonly database: string;
  readonly schema: string;
  readonly table: string;
  /** These alone; absent: nothing of the table. */
  readonly columns?: readonly string[];
  readonly why: string;
}

/** What holds rows in all databases, as the catalog of the source counts it under the snapshot of the proof, and what of it was compared. */
export interface Coverage {
  readonly counted: Readonly<Record<string, number>>;
  readonly compared: { readonly tables: number; readonly partitions: number };
  readonly notCompared: readonly { readonly kind: string; readonly count: number; readonly why: string }[];
}

export interface Proof extends Comparison {
  /**
   * `snapshot`: both sides under snapshots that were taken while writes were stopped: exact.
   * `row-versions`: the worker that held the snapshots died; those row versions of both sides that were there at the
   * cutover. Rows updated or deleted since then can't be compared any more, and aren't in \`rows\`.
   */
  readonly method: 'snapshot' | 'row-versions';
  /** `row-versions` only: rows that were written on the target after the cutover, so that they can't be compared. */
  readonly changedSince: number;
  /** `row-versions` only: rows of the source that the target does not have any more; deleted since, as far as is known. */
  readonly goneSince: number;
  /**
   * `row-versions` only: rows of the source that the way back had written since. A row that the target deleted, and the way back on
   * the source, is in no count. Absent: a pause of an old version, which did not note what is needed to know.
   */
  readonly sourceChangedSince?: number;
  /** `row-versions` only: tables that had been proven under the snapshots before these were lost. */
  readonly tablesBySnapshot?: number;
  /** Objects of all databases by kind, as of the cutover: schemas, tables, indexes, roles, grants, settings... */
  readonly inventory?: Readonly<Record<string, InventoryCount>>;
  /** Sequences of the target that are behind those of the source; the first of them where there are very many. */
  readonly sequencesBehind?: readonly string[];
  /** How many, where `sequencesBehind` doesn't name all. */
  readonly sequencesBehindCount?: number;
  readonly coverage?: Coverage;
  /** DDL on either side since the cutover, as the catalogs show it; the first of it. It changes nothing of what was compared. */
  readonly ddlSince?: readonly string[];
  readonly ddlChanges?: number;
  /** ISO 8601: when the last table was compared. */
  readonly provenAt?: string;
}

/** A setting of an instance that is not as it should be. */
export interface SettingDifference {
  /** Member of DBInstance. */
  readonly field: string;
  readonly wanted: string;
  readonly found: string;
  /** What fixes it; absent where no command does. */
  readonly command?: string;
}

/** An instance compared with the one whose settings it shall have, field by field. */
export interface InstanceComparison {
  readonly instance: string;
  readonly like: string;
  /** Fields that have to be equal. */
  readonly compared: number;
  /** What the plan changes, in words. */
  readonly planned: readonly string[];
  readonly differences: readonly SettingDifference[];
  /** Members that RDS shows and this version does not know. */
  readonly notCompared: readonly { readonly field: string; readonly wanted: string; readonly found: string }[];
}

/** A read replica of the source that has one on the target, and goes with the source. */
export interface RemovedReplica {
  readonly instance: string;
  readonly resourceId: string;
  readonly replacedBy: string;
  /** Against deletion. */
  readonly protected: boolean;
  /** Client sessions that were on it when we looked. */
  readonly sessions: number;
}

/** A log group of CloudWatch, to which RDS wrote logs of an instance: RDS leaves it behind when the instance goes. */
export interface LogGroup {
  readonly name: string;
  /** Events expire after so many days; absent: never. */
  readonly retentionDays?: number;
  /** ARN of the key that it is encrypted under; absent: a key of CloudWatch's own. */
  readonly kmsKeyArn?: string;
  /** As CloudWatch last counted, which takes it hours. */
  readonly storedBytes: number;
  /** Against deletion. */
  readonly protected: boolean;
}

/** What the decommission is going to remove, as it was found after the switch. */
export interface Removal {
  /** The source is protected against deletion; the gate's approval takes that off. */
  readonly deletionProtection: boolean;
  readonly replicas: readonly RemovedReplica[];
  /** Replicas that stay: RDS makes them stand alone when the source goes. */
  readonly left: readonly string[];
  /** Of the source, and of the replicas that go with it. */
  readonly logGroups?: readonly LogGroup[];
  /** Why nobody could look for log groups. */
  readonly logGroupsUnknown?: string;
  /** What the source, and the replicas that go with it, cost until then. */
  readonly costs?: readonly DailyCost[];
}

export interface SettingsReport {
  /** The target, then its read replicas. */
  readonly instances: readonly InstanceComparison[];
  /** Roles, and what `ALTER DATABASE ... SET` and `ALTER ROLE ... SET` say, compared by SQL. */
  readonly roleSettings: number;
  /** Read replicas of the source. */
  readonly replicas: readonly string[];
}

/** A logical slot of others, which was made anew on the target. */
export interface MovedSlot {
  readonly database: string;
  readonly slot: string;
  readonly plugin: string;
  /** How far its reader had confirmed on the source, after the fence. */
  readonly oldConfirmed: Lsn;
  /** Where the old slot ends: what it has behind that is the way back, and comes again from the new one. */
  readonly fenceLsn: Lsn;
  /** Where the new slot begins, on the target: with the first write of an application there. */
  readonly newPosition: Lsn;
}

/** The way back that was gone. */
export interface RollbackFacts {
  readonly by: string;
  readonly reason: string;
  /** ISO 8601, workflow time. */
  readonly requestedAt: string;
  /** The pause in the other direction: `target` is the old source. */
  cutover?: CutoverFacts;
  proof?: Proof;
}

/** Sessions of one kind that were on the source after the switch. */
export interface SeenOnSource {
  readonly user: string;
  /** Absent: not known. */
  readonly database?: string;
  /** `application_name`; empty: it gave none. */
  readonly application: string;
  /** Absent: it came by a socket of the server. */
  readonly address?: string;
  /** The most of them at one time. */
  readonly sessions: number;
  /** Still there at the end of the watch. */
  readonly left: boolean;
}

/** `app@shop (api) from 10.0.0.9/32`, as a person can find it. */
export const seenText = ({ user, database, application, address }: Omit<SeenOnSource, 'sessions' | 'left'>): string =>
  `${user}@${database ?? '?'} (${application || 'unnamed'}) from ${address ?? 'local'}`;

/** Something that Keyshift leaves behind on purpose. */
export interface Remains {
  readonly what: string;
  readonly name: string;
  readonly why: string;
}

/** How far the target was behind the source at a moment. */
export interface LagPoint {
  /** ISO 8601. */
  readonly at: string;
  readonly bytes: number;
}

/** The instance that was made. */
export interface TargetFacts {
  readonly instance: string;
  readonly resourceId: string;
  readonly arn: string;
  readonly address: string;
  readonly port: number;
  /** ARN of the key that RDS says it is encrypted under. */
  readonly kmsKeyArn: string;
}

/** The answer of the query `report`, the result of the workflow, and what `keyshift report` prints. */
export interface Report {
  readonly migration: string;
  status: MigrationStatus;
  readonly plan: Plan;
  readonly progress: Progress;
  checks: readonly Check[];
  overridden: readonly Overridden[];
  source?: SourceFacts;
  target?: TargetFacts;
  slots?: readonly SlotFacts[];
  position?: Position;
  settings?: SettingsReport;
  verify?: Comparison;
  cutover?: CutoverFacts;
  /** Red lines of the board that somebody let pass. */
  waivers?: readonly Waiver[];
  proof?: Proof;
  removal?: Removal;
  /** Sessions of applications that the watch after the switch saw on the source; empty: there were none. */
  seenOnSource?: readonly SeenOnSource[];
  /** By the plan, after the proof; `startedAt`: for the decommission. ISO 8601, workflow time. */
  sourceStopped?: { readonly at: string; startedAt?: string };
  slotsMoved?: readonly MovedSlot[];
  rollback?: RollbackFacts;
  stays: Remains[];
  /** Oldest first; bounded (plan/lag-history.ts). */
  lagHistory?: readonly LagPoint[];
  /** What was left out of a copy of this report since it was too long, by path (plan/fit-report.ts). */
  shortened?: readonly string[];
}

/** What a comparison can say nothing of, one line for each; the last one says how many aren't named. */
export function notProvenLines({ notProven = [], notProvenTables = notProven.length }: Comparison): string[] {
  const lines = notProven.map(
    ({ database, schema, table, columns, why }) =>
      `${database} ${JSON.stringify(schema)}.${JSON.stringify(table)}${columns ? ` columns ${columns.join(', ')}` : ''}: ${why}`,
  );
  return notProvenTables > lines.length ? [...lines, `and ${notProvenTables - lines.length} more`] : lines;
}

/** How many tables the catalog counts and what of it wasn't compared, in words; undefined: an old version did not count. */
export function coverageText({ coverage, notProvenTables = 0 }: Proof): string | undefined {
  if (!coverage) return undefined;
  const { counted, compared, notCompared } = coverage;
  const left = notCompared.filter(({ count }) => count > 0).map(({ kind, count, why }) => `${count} ${kind} (${why})`);
  return [
    `compared ${compared.tables} of ${counted.tables ?? 0} tables and ${compared.partitions} of ${counted.partitions ?? 0} partitions that the catalog counts`,
    ...(notProvenTables > 0 ? [`${notProvenTables} of them in part or not at all`] : []),
    left.length > 0 ? `not compared: ${left.join(', ')}` : 'nothing else holds rows',
  ].join('; ');
}

/** The proof in one line. It exists only where nothing differs: otherwise the migration is parked. */
export function proofLine(proof: Proof, switchedAt: string, pause: 'cutover' | 'rollback' = 'cutover'): string {
  const seconds = proof.provenAt ? secondsAfter(switchedAt, proof.provenAt) : proof.durationMs / 1000;
  const how =
    proof.method === 'snapshot'
      ? 'under the snapshots of the pause'
      : `by row versions, ${proof.tablesBySnapshot ?? 0} tables under the snapshots of the pause; ${proof.changedSince} rows written and ${proof.goneSince} deleted since can't be compared${wayBackText(proof)}`;
  const unproven = proof.notProvenTables ? `, ${proof.notProvenTables} NOT PROVEN` : '';
  return `${proof.rows} rows in ${proof.tables} tables, identical${unproven}, proven in ${seconds.toFixed(1)} s after the ${pause} (${how})`;
}

const wayBackText = ({ sourceChangedSince }: Proof): string =>
  sourceChangedSince === undefined
    ? ''
    : `; the way back has written ${sourceChangedSince} rows of the source, and what it deleted there is in no count`;

const secondsAfter = (from: string, to: string): number => (Date.parse(to) - Date.parse(from)) / 1000;

/** Bytes of WAL that the reader of an old slot had still to read up to the fence; 0: it had read everything. */
export const unreadBytes = ({ fenceLsn, oldConfirmed }: MovedSlot): number =>
  Math.max(0, lsnDistanceBytes(fenceLsn, oldConfirmed));

/** How long a log group is kept and under which key, and how it goes. */
export function logGroupText({ name, retentionDays, kmsKeyArn, protected: isProtected }: LogGroup): string {
  return [
    retentionDays === undefined
      ? 'what was logged never expires'
      : `what was logged expires after ${retentionDays} days`,
    kmsKeyArn === undefined ? 'no key of yours encrypts it' : `encrypted under ${kmsKeyArn}`,
    ...(isProtected ? ['protected against deletion'] : []),
    `to delete it: ${isProtected ? `aws logs put-log-group-deletion-protection --log-group-identifier ${name} --no-deletion-protection-enabled; ` : ''}aws logs delete-log-group --log-group-name ${name}`,
  ].join('; ');
}

/** What the reader of a slot has to do. */
export function movedSlotLine(moved: MovedSlot): string {
  const { slot, database, fenceLsn, oldConfirmed, newPosition } = moved;
  const unread = unreadBytes(moved);
  const goOn = `on the target it goes on at ${newPosition}`;
  return unread === 0
    ? `${slot} (${database}): its reader had read everything up to the fence at ${fenceLsn}; ${goOn}`
    : `${slot} (${database}): its reader had read up to ${oldConfirmed}, the fence is at ${fenceLsn}: let it read the old slot up to there first; ${goOn}`;
}
