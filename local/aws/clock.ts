import { setTimeout as sleep } from 'node:timers/promises';

/** How long AWS takes for things, in seconds of an unhurried day; the stand-in multiplies by `KEYSHIFT_LOCAL_TIME_SCALE`. */
export const AWS_SECONDS = {
  createInstance: 240,
  restoreInstance: 360,
  createReplica: 300,
  deleteInstance: 180,
  modifyInstance: 60,
  rebootInstance: 30,
  /** "Failover times are typically 60–120 seconds." */
  failOver: 60,
  stopInstance: 120,
  startInstance: 180,
  createSnapshot: 120,
  copySnapshot: 180,
  /** How long a change of DNS records needs to reach all name servers of Route 53: "typically within 60 seconds". */
  propagateRecords: 60,
  /** How long a proxy needs to connect to a new target. */
  registerTarget: 30,
  /** How long an instance still says `available` after a call that changes it (facts.md, section 4: eventually consistent). */
  becomeVisible: 10,
  /** The first automated backup; of a large volume hours. */
  firstBackup: 120,
  /** Enhanced Monitoring, log exports and IAM authentication, each. */
  configure: 30,
  /** A volume that was changed, or that loads from its snapshot: "several hours", up to days. */
  optimizeStorage: 300,
  initializeStorage: 180,
  /** How long a parameter group needs to reach its instances. */
  applyParameters: 15,
} as const;

/** Time as the stand-in lets it pass. */
export class Clock {
  constructor(
    private readonly scale: number,
    private readonly shutdown: AbortSignal,
  ) {
    if (!Number.isFinite(scale) || scale < 0) throw new Error('KEYSHIFT_LOCAL_TIME_SCALE must be a number from 0 on');
  }

  /** How long so many seconds of AWS's last here. */
  milliseconds(seconds: number): number {
    return seconds * 1000 * this.scale;
  }

  /** Lets so many seconds of AWS's pass. Rejects when the stand-in shuts down. */
  async pass(seconds: number): Promise<void> {
    await sleep(this.milliseconds(seconds), undefined, { signal: this.shutdown });
  }
}
