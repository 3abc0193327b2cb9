import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ADMIN_ROLE } from '../../postgres/server';
import { parseLsn, readControlFile } from '../../postgres/control-file';
import type { Context } from '../context';
import { SERVING } from '../rds/instance-states';
import type { InstanceRecord } from '../rds/model';
import { placesOf } from '../rds/server-configuration';

const GIB = 1024 ** 3;
/** Sizes of directories are looked up anew after so long: those of a database with thousands of tables take a while. */
const SIZE_LASTS_MS = 1000;
/** The first WAL segment of a new cluster is the one with number 1. */
const FIRST_LSN = 0x1000000n;

/** The metrics of `AWS/RDS` that the stand-in has, with the unit that CloudWatch gives for each. */
const UNITS: Readonly<Record<string, string>> = {
  FreeStorageSpace: 'Bytes',
  TransactionLogsGeneration: 'Bytes/Second',
  DatabaseConnections: 'Count',
  CPUUtilization: 'Percent',
  CPUCreditBalance: 'Count',
  BurstBalance: 'Percent',
  'EBSIOBalance%': 'Percent',
  'EBSByteBalance%': 'Percent',
  ReadIOPS: 'Count/Second',
  WriteIOPS: 'Count/Second',
  ReadThroughput: 'Bytes/Second',
  WriteThroughput: 'Bytes/Second',
};

export const unitOf = (metric: string): string => UNITS[metric] ?? 'None';

/**
 * What a metric of an instance is at this moment; undefined where CloudWatch would have no data, as of an instance that doesn't run or a
 * balance that its class or storage doesn't have. Connections are counted, free storage is the size of the volume less what the server's directory takes,
 * the generation of WAL what the server wrote since it was made; the rest are the figures of a quiet instance. Tests set others
 * (`metrics` of the control API).
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html
 */
export async function readMetric(
  context: Context,
  instance: InstanceRecord,
  metric: string,
): Promise<number | undefined> {
  const { metrics, ballastBytes = 0 } = context.store.switches(instance.region, instance.id);
  const given = metrics?.[metric];
  if (given !== undefined) return given;
  if (![...SERVING, 'modifying', 'renaming'].includes(instance.status)) return undefined;
  const { AllocatedStorage, StorageType, DBInstanceClass } = instance.settings;
  const { dataDir } = placesOf(context.places, instance);
  switch (metric) {
    case 'FreeStorageSpace':
      return Math.max(0, AllocatedStorage * GIB - ballastBytes - (await sizeOf(dataDir)));
    case 'TransactionLogsGeneration':
      return walRate(instance, dataDir);
    case 'DatabaseConnections':
      return connectionsOf(context, instance);
    case 'BurstBalance':
      return StorageType === 'gp2' ? 100 : undefined;
    case 'CPUCreditBalance':
      return /^db\.t\d/.test(DBInstanceClass) ? 576 : undefined;
    case 'EBSIOBalance%':
    case 'EBSByteBalance%':
      return 99;
    case 'CPUUtilization':
      return 5;
    case 'ReadIOPS':
    case 'WriteIOPS':
      return 10;
    case 'ReadThroughput':
    case 'WriteThroughput':
      return 100_000;
    default:
      return undefined;
  }
}

/** Sessions of clients, but the service's own. */
async function connectionsOf({ servers }: Context, instance: InstanceRecord): Promise<number> {
  const { server } = servers.of(instance);
  const { rows } = await server.withSession((client) =>
    client.query<{ sessions: number }>(
      `SELECT count(*)::int AS sessions FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename <> '${ADMIN_ROLE}'`,
    ),
  );
  return rows[0]?.sessions ?? 0;
}

function walRate({ createdAt }: InstanceRecord, dataDir: string): number | undefined {
  try {
    const written = parseLsn(readControlFile(dataDir).checkpointLsn) - FIRST_LSN;
    const seconds = Math.max(1, (Date.now() - new Date(createdAt).getTime()) / 1000);
    return Math.max(0, Number(written)) / seconds;
  } catch {
    return undefined;
  }
}

const sizes = new Map<string, { readonly at: number; readonly bytes: Promise<number> }>();

/** Bytes that a directory takes on disk. */
function sizeOf(directory: string): Promise<number> {
  const known = sizes.get(directory);
  if (known && Date.now() - known.at < SIZE_LASTS_MS) return known.bytes;
  const bytes = measure(directory);
  sizes.set(directory, { at: Date.now(), bytes });
  return bytes;
}

async function measure(directory: string): Promise<number> {
  let total = 0;
  for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
    const path = join(directory, entry.name);
    // Files come and go while the server works.
    if (entry.isDirectory()) total += await measure(path);
    else
      total += await lstat(path).then(
        ({ blocks }) => blocks * 512,
        () => 0,
      );
  }
  return total;
}
