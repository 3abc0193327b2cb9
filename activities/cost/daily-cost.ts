import type { DBInstance } from '@aws-sdk/client-rds';
import type { DailyCost } from '../../plan/daily-cost';
import type { Aws } from '../dependencies';
import { costOf, type ListPrice, listPrice, type WantedProduct } from './price-list';

/** A month of the price list has 730 hours. */
const MONTHS_PER_DAY = 24 / 730;

/** Storage types of RDS in the words of the price list. */
const VOLUMES: Readonly<Record<string, { readonly volumeType: string; readonly iopsGroup?: string }>> = {
  gp2: { volumeType: 'General Purpose' },
  gp3: { volumeType: 'General Purpose-GP3', iopsGroup: 'RDS Provisioned GP3 IOPS' },
  io1: { volumeType: 'Provisioned IOPS', iopsGroup: 'RDS Provisioned IOPS' },
  io2: { volumeType: 'Provisioned IOPS-IO2', iopsGroup: 'RDS Provisioned IO2 IOPS' },
  standard: { volumeType: 'Magnetic' },
};

/** From this size on a gp3 volume is striped, and what its price includes is four times as much. */
const STRIPED_FROM_GIB = 400;

/** Something that is charged by quantity and time. */
interface Item {
  readonly wanted: WantedProduct;
  readonly unit: 'Hrs' | 'GB-Mo' | 'IOPS-Mo' | 'MBPS-Mo';
  readonly quantity: number;
}

/**
 * What an instance costs a day by AWS's price list: its class, its storage, and IOPS and throughput beyond what the storage includes. Not
 * in it: reservations and discounts, which the list does not know of, backups, snapshots, I/O of magnetic storage, transfers, monitoring, RDS
 * Extended Support. Never fails: who can't know a price says why.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html
 */
export async function dailyCost(aws: Pick<Aws, 'pricing' | 'region'>, instance: DBInstance): Promise<DailyCost> {
  const described = { instance: instance.DBInstanceIdentifier ?? '', what: whatIsPriced(instance) };
  try {
    const items = itemsOf(aws.region, instance);
    const prices = await Promise.all(items.map(({ wanted, unit }) => listPrice(aws.pricing, wanted, unit)));
    const { currency } = prices[0] as ListPrice;
    const amount = prices.reduce((sum, price, place) => sum + perDay(items[place] as Item, price), 0);
    return { ...described, amount: Math.round(amount * 100) / 100, currency };
  } catch (error) {
    return { ...described, unknown: error instanceof Error ? error.message : String(error) };
  }
}

const deploymentOf = ({ MultiAZ }: DBInstance): string => (MultiAZ ? 'Multi-AZ' : 'Single-AZ');

const whatIsPriced = (instance: DBInstance): string =>
  [
    instance.DBInstanceClass ?? '',
    deploymentOf(instance),
    `${instance.AllocatedStorage ?? 0} GiB ${instance.StorageType ?? ''}`,
  ].join(', ');

const perDay = ({ unit, quantity }: Item, price: ListPrice): number =>
  unit === 'Hrs' ? costOf(price, 24) * quantity : costOf(price, quantity) * MONTHS_PER_DAY;

function itemsOf(regionCode: string, instance: DBInstance): Item[] {
  const { DBInstanceClass = '', StorageType = '', AllocatedStorage = 0, Iops = 0, StorageThroughput = 0 } = instance;
  const everywhere = { regionCode, deploymentOption: deploymentOf(instance) };
  const volume = VOLUMES[StorageType];
  if (!volume) throw new Error(`storage of type ${StorageType} is not known here`);
  const item = (unit: Item['unit'], quantity: number, productFamily: string, attributes: Record<string, string>) => ({
    unit,
    quantity,
    wanted: { productFamily, ...everywhere, ...attributes },
  });
  const stripes = AllocatedStorage >= STRIPED_FROM_GIB ? 4 : 1;
  const included =
    StorageType === 'gp3' ? { iops: 3_000 * stripes, throughput: 125 * stripes } : { iops: 0, throughput: 0 };
  const iops = volume.iopsGroup === undefined ? 0 : Iops - included.iops;
  const throughput = StorageType === 'gp3' ? StorageThroughput - included.throughput : 0;
  return [
    item('Hrs', 1, 'Database Instance', {
      instanceType: DBInstanceClass,
      databaseEngine: 'PostgreSQL',
      licenseModel: 'No license required',
    }),
    item('GB-Mo', AllocatedStorage, 'Database Storage', { volumeType: volume.volumeType }),
    ...(iops > 0 ? [item('IOPS-Mo', iops, 'Provisioned IOPS', { groupDescription: volume.iopsGroup ?? '' })] : []),
    ...(throughput > 0 ? [item('MBPS-Mo', throughput, 'Provisioned Throughput', {})] : []),
  ];
}
