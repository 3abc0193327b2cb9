import type { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import type { EC2Client } from '@aws-sdk/client-ec2';
import type { IAMClient } from '@aws-sdk/client-iam';
import type { KMSClient } from '@aws-sdk/client-kms';
import type { PricingClient } from '@aws-sdk/client-pricing';
import type { RDSClient } from '@aws-sdk/client-rds';
import type { Route53Client } from '@aws-sdk/client-route-53';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { S3Client } from '@aws-sdk/client-s3';
import type { SSMClient } from '@aws-sdk/client-ssm';
import type { STSClient } from '@aws-sdk/client-sts';
import { presentName, type Renamed } from '../plan/instance-names';
import type { Plan } from '../plan/plan';
import type { SnapshotHolder } from './compare/snapshot-holder';
import type { StartWatchdog } from './cutover/watchdog/watchdog';
import type { SecretUse } from './secrets/secret-use';

/** AWS clients of one region. */
export interface Aws {
  readonly region: string;
  /** How long RDS may go on showing an instance as it was before a call, in milliseconds; absent: as long as on AWS. */
  readonly rdsShowsAfterMs?: number | undefined;
  readonly rds: RDSClient;
  readonly kms: KMSClient;
  readonly secrets: SecretsManagerClient;
  readonly ssm: SSMClient;
  readonly ec2: EC2Client;
  readonly iam: IAMClient;
  readonly sts: STSClient;
  readonly cloudwatch: CloudWatchClient;
  readonly logs: CloudWatchLogsClient;
  /** The price list of all regions. */
  readonly pricing: PricingClient;
  /** One for all regions. */
  readonly route53: Route53Client;
  readonly s3: S3Client;
}

/** Who polls a task queue. */
export interface Pollers {
  /** How each worker calls itself: `<process id>@<host>`. */
  readonly workers: readonly string[];
}

/** What the worker gives to every activity. */
export interface Dependencies {
  /** Clients of a region; `undefined`: the worker's own (`AWS_REGION`). */
  aws(region: string | undefined): Aws;
  /** PEM text of the certificate authorities that sign RDS's server certificates. */
  readonly rdsCaBundle: string;
  /** Secrets that the worker's configuration releases for a use, by the name or ARN that plans give; those that are tagged need no mention. */
  readonly releasedSecrets?: Readonly<Partial<Record<SecretUse, readonly string[]>>>;
  /** Snapshots that this process holds open between the pause and the proof. */
  readonly snapshots: SnapshotHolder;
  /** Task queue that only this process serves: how the proof finds the process that holds the snapshots. */
  readonly ownTaskQueue: string;
  /** Starts the process that ends a pause when this one is gone. */
  readonly startWatchdog: StartWatchdog;
  /** Asks Temporal who polls a task queue for activities; absent in a process that does not talk to Temporal. */
  readonly pollersOf?: (taskQueue: string) => Promise<Pollers>;
}

/** The part of its input that every activity has: which migration it works for. */
export interface MigrationRef {
  readonly id: string;
  /** How slots and subscriptions are called (plan/names.ts). */
  readonly naming?: 2;
  readonly plan: Plan;
  /**
   * `back`: the target of the plan is where changes come from, the source where they go: the way back. Whatever is said of
   * source and target then means the parts that they play, not the plan's names.
   */
  readonly direction?: 'back';
  /** How far the instances are renamed; what it is inside the pause, only the world knows (activities/rds/present-names.ts). */
  readonly renamed?: Renamed;
  /** `DbiResourceId` of the plan's source, from the preflight on: never reused, and stays the same whatever it is called. */
  readonly sourceResourceId?: string;
  /** `DbiResourceId` of the plan's target, once it is restored: with the tag it says that an instance is ours. */
  readonly targetResourceId?: string;
  /** The database that has our records: the first one that is migrated. Absent: whoever needs them looks in every one. */
  readonly recordsIn?: string;
}

/** The part that an instance plays: changes go from source to target. */
export type Side = 'source' | 'target';

/** The plan's name for who plays a part in the present direction. */
export const sideInPlan = ({ direction }: MigrationRef, side: Side): Side =>
  direction !== 'back' ? side : side === 'source' ? 'target' : 'source';

/** Present DB instance identifier of who plays a part in the present direction. */
export const instanceOf = (ref: MigrationRef, side: Side): string => presentName(ref, sideInPlan(ref, side));

/** AWS clients of the source's region. */
export const awsOf = (deps: Dependencies, { plan }: MigrationRef): Aws => deps.aws(plan.source.region);
