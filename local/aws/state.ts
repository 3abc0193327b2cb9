import { existsSync, readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ec2State } from './ec2/model';
import type { IamState } from './iam/model';
import type { KmsState } from './kms/model';
import type { LogGroupRecord } from './logs/model';
import type { RdsState } from './rds/model';
import type { Route53State } from './route53/model';
import type { S3State } from './s3/model';
import type { SecretRecord } from './secrets/model';
import type { Answer } from './query-protocol';
import type { ParameterRecord } from './ssm/model';

/** The account that everything belongs to. */
export const ACCOUNT_ID = '123456789012';

/** Everything of one region. */
export interface RegionState {
  rds: RdsState;
  kms: KmsState;
  secrets: Record<string, SecretRecord>;
  parameters: Record<string, ParameterRecord>;
  /** By name. */
  logGroups?: Record<string, LogGroupRecord>;
  /** Only what was made beside the default network. */
  ec2?: Ec2State;
}

/** What tests set for an instance, also before it exists; by region and name. */
export interface InstanceSwitches {
  /** Whether the extension `rds_tools` can be had. */
  rdsTools?: boolean | undefined;
  /** Bytes by which `rds_tools.logical_seed_lsn()` is wrong. */
  seedLsnOffset?: number | undefined;
  /** Its parameter group stays `pending-reboot` after a restore. */
  groupLeftPending?: boolean | undefined;
  /** A restored volume loads for so long, in seconds; `DescribeDBInstances` shows it. */
  storageLoadSeconds?: number | undefined;
  /** So many log files of its source are listed after a restore. */
  oldLogs?: number | undefined;
  /** Metrics of CloudWatch that are not what the stand-in would say; in the metric's own unit. */
  metrics?: Record<string, number> | undefined;
  /** Bytes that its volume holds besides the files of the server: how tests fill a disk. */
  ballastBytes?: number | undefined;
  /** Members that the description of the instance has besides or instead: a setting that AWS will add, a state that can't be brought about here. */
  describes?: Record<string, Answer> | undefined;
}

/** How many there may be in a region; AWS's defaults (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html). */
export interface Quotas {
  instances: number;
  manualSnapshots: number;
  parameterGroups: number;
  /** GiB of all instances together. */
  allocatedStorage?: number;
}

interface StateFile {
  regions: Record<string, RegionState>;
  switches: Record<string, InstanceSwitches>;
  quotas: Quotas;
  iam?: IamState;
  route53?: Route53State;
  s3?: S3State;
}

/** All that the stand-in remembers: in memory, and in one JSON file that is written before a change is acknowledged. */
export class Store {
  private readonly file: string;
  private readonly state: StateFile;
  private dirty = false;
  private writing: Promise<void> = Promise.resolve();

  constructor(stateDir: string) {
    this.file = join(stateDir, 'state.json');
    this.state = existsSync(this.file)
      ? (JSON.parse(readFileSync(this.file, 'utf8')) as StateFile)
      : { regions: {}, switches: {}, quotas: { instances: 40, manualSnapshots: 100, parameterGroups: 50 } };
  }

  region(name: string): RegionState {
    return (this.state.regions[name] ??= {
      rds: { instances: {}, snapshots: {}, parameterGroups: {}, events: [] },
      kms: { keys: {}, aliases: {} },
      secrets: {},
      parameters: {},
    });
  }

  regions(): readonly [string, RegionState][] {
    return Object.entries(this.state.regions);
  }

  get quotas(): Quotas {
    return this.state.quotas;
  }

  /** IAM knows no regions. */
  get iam(): IamState {
    return (this.state.iam ??= { enforce: false });
  }

  /** Route 53 knows no regions either. */
  get route53(): Route53State {
    return (this.state.route53 ??= { zones: {}, changes: {} });
  }

  /** Buckets have a region each, and names that are unique in all of them. */
  get s3(): S3State {
    return (this.state.s3 ??= { buckets: {} });
  }

  switches(region: string, instanceId: string): InstanceSwitches {
    return (this.state.switches[`${region}/${instanceId}`] ??= {});
  }

  /** Members of descriptions that tests have made up, of all instances. */
  describedMembers(): ReadonlySet<string> {
    return new Set(Object.values(this.state.switches).flatMap(({ describes }) => Object.keys(describes ?? {})));
  }

  /** What tests set for an instance goes with it when it gets another name. */
  moveSwitches(region: string, from: string, to: string): void {
    const { switches } = this.state;
    const moved = switches[`${region}/${from}`];
    delete switches[`${region}/${from}`];
    if (moved) switches[`${region}/${to}`] = moved;
  }

  /** To be called after each change; `flush` waits until it is on disk. */
  changed(): void {
    if (this.dirty) return;
    this.dirty = true;
    this.writing = this.writing.catch(() => undefined).then(() => this.write());
    this.writing.catch(() => undefined); // whoever flushes hears of it
  }

  async flush(): Promise<void> {
    await this.writing;
  }

  private async write(): Promise<void> {
    this.dirty = false;
    const temporary = `${this.file}.new`;
    const handle = await open(temporary, 'w', 0o600);
    try {
      await handle.writeFile(JSON.stringify(this.state, undefined, 1));
    } finally {
      await handle.close();
    }
    await rename(temporary, this.file);
  }
}
