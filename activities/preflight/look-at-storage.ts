import type { DBInstance } from '@aws-sdk/client-rds';
import type { Check } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import { ceilingMiB, reserveBytes } from '../rds/wal-ceiling';
import { ceilingFor } from '../settings/setting-fields';

const code = 'storage-headroom';
const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
/** Below this ceiling a slot is lost by one batch job. */
const LEAST_CEILING_MIB = 1024;

/** What the check of the storage has to go by. */
export interface StorageFacts {
  /** CloudWatch's `FreeStorageSpace`; undefined where it has no figure. */
  readonly freeBytes: number | undefined;
  /** WAL that the source writes, as the checks in SQL measured it. */
  readonly walBytesPerSecond?: number | undefined;
  /** How long it has to be kept, in hours. */
  readonly hours?: number | undefined;
  /** `max_slot_wal_keep_size` of the source's own parameter group, where that stays in force. */
  readonly ownCeilingMiB?: number | undefined;
}

/** Free storage of the source against the WAL that our slots may keep, and against what the guard wants. */
export function checkStorage(plan: Plan, source: DBInstance, facts: StorageFacts): Check[] {
  const { freeBytes, walBytesPerSecond, hours, ownCeilingMiB } = facts;
  const id = plan.source.instance;
  const allocatedGiB = source.AllocatedStorage ?? 0;
  if (freeBytes === undefined) {
    return [
      {
        code,
        level: 'warn',
        message: `CloudWatch has no figure for the free storage of ${id}, so nobody knows whether it has room for the WAL that our slots keep.`,
        remedy: `aws cloudwatch get-metric-statistics --namespace AWS/RDS --metric-name FreeStorageSpace --dimensions Name=DBInstanceIdentifier,Value=${id} --statistics Minimum --period 300 --start-time <an hour ago> --end-time <now>`,
      },
    ];
  }
  const reserve = reserveBytes(plan, source);
  const room = freeBytes - reserve;
  const percent = (freeBytes / (allocatedGiB * GIB)) * 100;
  const ceiling = ceilingMiB(plan, source, freeBytes);
  const autoscaling = source.MaxAllocatedStorage;
  const evidence = {
    allocatedGiB,
    freeGiB: gib(freeBytes),
    freePercent: Math.round(percent),
    reserveGiB: gib(reserve),
    storageType: source.StorageType ?? '',
    planCeilingMiB: plan.guard.maxSlotWalKeepMiB,
    ceilingMiB: ceiling,
    ...(autoscaling === undefined ? {} : { maxAllocatedStorageGiB: autoscaling }),
  };
  const has = `${id} has ${gib(freeBytes)} of ${allocatedGiB} GiB free`;
  const {
    warnFreeStoragePercent: warnBelow,
    pauseFreeStoragePercent: pauseBelow,
    giveUpFreeStoragePercent,
  } = plan.guard;
  const taken = allocatedGiB * GIB - freeBytes;
  // Reserves are shares of the volume, so they grow with it.
  const sizeFor = (bytes: number, sharePercent: number) => (taken + bytes) / Math.max(0.05, 1 - sharePercent / 100);
  const forWal = (bytes: number) => sizeFor(bytes, giveUpFreeStoragePercent);
  const comfortable = sizeFor(0, warnBelow + 5);
  const needed = (walBytesPerSecond ?? 0) * (hours ?? 0) * 3600;
  const group = source.DBParameterGroups?.[0]?.DBParameterGroupName ?? '';
  const low: Problem[] = [];
  if (percent <= pauseBelow) {
    low.push({
      level: 'block',
      text: `, ${Math.floor(percent)} %: the guard would pause the migration from its beginning (guard.pauseFreeStoragePercent: ${pauseBelow}).`,
      size: comfortable,
    });
  } else if (room < LEAST_CEILING_MIB * MIB) {
    low.push({
      level: 'block',
      text: `, ${gib(reserve)} GiB of it as a reserve: too little for the WAL that our slots keep.`,
      size: Math.max(comfortable, forWal(2 * LEAST_CEILING_MIB * MIB)),
    });
  } else if (percent <= warnBelow) {
    low.push({
      level: 'warn',
      text: `, ${Math.floor(percent)} %: the guard would warn from the beginning (guard.warnFreeStoragePercent: ${warnBelow}).`,
      size: comfortable,
    });
  }
  if (ownCeilingMiB !== undefined && ownCeilingMiB * MIB > room) {
    low.push({
      level: 'warn',
      text: `. Its parameter group lets slots keep ${ownCeilingMiB} MiB of WAL, which stays so: that fills the disk before PostgreSQL gives a slot up.`,
      size: forWal(ownCeilingMiB * MIB),
      instead: `# or lower the ceiling: aws rds modify-db-parameter-group --db-parameter-group-name ${group} --parameters ParameterName=max_slot_wal_keep_size,ParameterValue=${ceiling},ApplyMethod=immediate`,
    });
  }
  if (needed > room) {
    low.push({
      level: 'warn',
      text: `, ${gib(room)} GiB without the reserve. It writes ${((walBytesPerSecond ?? 0) / MIB).toFixed(1)} MiB of WAL a second: in the ${hours} hours that this takes, ${gib(needed)} GiB, more than there is room for.`,
      size: forWal(needed),
      instead: '# or begin when less is written',
    });
  }
  if (low.length > 0) {
    // One size that fixes all of it: storage can't be made smaller again, nor larger twice within six hours.
    const command = grow(id, source, Math.max(...low.map(({ size }) => size)));
    return low.map(({ level, text, instead }) => ({
      code,
      level,
      message: `${has}${text}`,
      remedy: instead === undefined ? command : `${command}\n${instead}`,
      evidence,
    }));
  }
  const lowered =
    ceiling < plan.guard.maxSlotWalKeepMiB
      ? `; slots may keep ${ceiling} MiB of WAL, less than guard.maxSlotWalKeepMiB (${plan.guard.maxSlotWalKeepMiB}), for which there is no room`
      : '';
  const grows =
    autoscaling === undefined ? '' : `; it grows by itself up to ${autoscaling} GiB, but only every six hours`;
  return [{ code, level: 'ok', message: `${has}${lowered}${grows}`, evidence }];
}

/** Why there is too little room, and how large the volume would have to be, in bytes. */
interface Problem {
  readonly level: 'warn' | 'block';
  readonly text: string;
  readonly size: number;
  /** What else would do. */
  readonly instead?: string;
}

const gib = (bytes: number): number => Math.floor((bytes / GIB) * 10) / 10;

/** RDS grows a volume by a tenth at least, and then not again for six hours. */
function grow(id: string, { AllocatedStorage = 0, MaxAllocatedStorage }: DBInstance, neededBytes: number): string {
  const size = Math.max(Math.ceil(neededBytes / GIB), Math.ceil(AllocatedStorage * 1.1));
  const least = ceilingFor(0, size);
  const ceiling =
    MaxAllocatedStorage !== undefined && MaxAllocatedStorage < least ? ` --max-allocated-storage ${least}` : '';
  return `aws rds modify-db-instance --db-instance-identifier ${id} --allocated-storage ${size}${ceiling} --apply-immediately`;
}
