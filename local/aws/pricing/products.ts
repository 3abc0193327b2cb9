import { createHash } from 'node:crypto';

/** A product with its price on demand, in the words of AWS's price list. */
export interface Product {
  readonly productFamily: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly unit: string;
  /** In USD. */
  readonly price: string;
}

/** Regions that are sold here: name of the location, and what usage types begin with. */
const REGIONS: Readonly<Record<string, { readonly location: string; readonly prefix: string }>> = {
  'eu-central-1': { location: 'EU (Frankfurt)', prefix: 'EUC1-' },
  'us-east-1': { location: 'US East (N. Virginia)', prefix: '' },
};

/** USD an hour in Single-AZ; Multi-AZ is twice that. */
const CLASSES: Readonly<Record<string, number>> = {
  'db.t4g.medium': 0.065,
  'db.m6g.large': 0.159,
  'db.m6g.xlarge': 0.318,
  'db.r6g.large': 0.225,
};

/** USD a month for a GB, an IOPS, a MiB/s in Single-AZ. */
const STORAGE: Readonly<Record<string, readonly [usage: string, price: number]>> = {
  'General Purpose': ['GP2-Storage', 0.115],
  'General Purpose-GP3': ['GP3-Storage', 0.115],
  'Provisioned IOPS': ['PIOPS-Storage', 0.125],
  'Provisioned IOPS-IO2': ['IO2-PIOPS-Storage', 0.125],
  Magnetic: ['StorageUsage', 0.1],
};
const IOPS: Readonly<Record<string, readonly [usage: string, price: number]>> = {
  'RDS Provisioned IOPS': ['PIOPS', 0.1],
  'RDS Provisioned GP3 IOPS': ['GP3-PIOPS', 0.02],
  'RDS Provisioned IO2 IOPS': ['IO2-PIOPS', 0.1],
};
const THROUGHPUT = 0.08;

const DEPLOYMENTS = [
  ['Single-AZ', '', 1],
  ['Multi-AZ', 'Multi-AZ-', 2],
] as const;

/** What RDS sells: some classes, and the storage that goes with them. Prices are those of us-east-1 of 2026, in every region. */
export function rdsProducts(): Product[] {
  return Object.entries(REGIONS).flatMap(([regionCode, { location, prefix }]) =>
    DEPLOYMENTS.flatMap(([deploymentOption, usage, factor]) => {
      const product = (
        productFamily: string,
        unit: string,
        price: number,
        usagetype: string,
        attributes: Readonly<Record<string, string>>,
      ): Product => ({
        productFamily,
        unit,
        price: (price * factor).toFixed(10),
        attributes: {
          servicecode: 'AmazonRDS',
          servicename: 'Amazon Relational Database Service',
          locationType: 'AWS Region',
          location,
          regionCode,
          deploymentOption,
          usagetype: `${prefix}${usagetype}`,
          ...attributes,
        },
      });
      const instance = (name: string, price: number, engine: string, code: string, attributes = {}): Product =>
        product('Database Instance', 'Hrs', price, `${usage}${factor === 1 ? 'Instance' : ''}Usage:${name}`, {
          instanceType: name,
          instanceTypeFamily: name.split('.')[1]?.toUpperCase() ?? '',
          currentGeneration: 'Yes',
          databaseEngine: engine,
          engineCode: code,
          licenseModel: 'No license required',
          operation: `CreateDBInstance:00${code}`,
          ...attributes,
        });
      return [
        ...Object.entries(CLASSES).flatMap(([name, price]) => [
          instance(name, price, 'PostgreSQL', '14'),
          instance(name, price * 0.95, 'MySQL', '02'),
          instance(name, price * 0.7, 'PostgreSQL', '14', { locationType: 'AWS Outposts', location: 'AWS Outposts' }),
        ]),
        ...Object.entries(STORAGE).map(([volumeType, [name, price]]) =>
          product('Database Storage', 'GB-Mo', price, `RDS:${usage}${name}`, { volumeType, databaseEngine: 'Any' }),
        ),
        ...Object.entries(IOPS).map(([groupDescription, [name, price]]) =>
          product('Provisioned IOPS', 'IOPS-Mo', price, `RDS:${usage}${name}`, {
            group: 'RDS-PIOPS',
            groupDescription,
            databaseEngine: 'Any',
          }),
        ),
        product('Provisioned Throughput', 'MBPS-Mo', THROUGHPUT, `RDS:${usage}GP3-PTPT`, { databaseEngine: 'Any' }),
      ];
    }),
  );
}

const codeOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16).toUpperCase();

/** A product as an item of `PriceList` has it, before it is made text (the format `aws_v1`). */
export function listed({ productFamily, attributes, unit, price }: Product): object {
  const sku = codeOf(JSON.stringify([productFamily, attributes]));
  const [offer, rate] = [`${sku}.JRTCKXETXF`, `${sku}.JRTCKXETXF.6YS6EN2CT7`];
  const dimension = {
    unit,
    endRange: 'Inf',
    description: `$${Number(price)} per ${unit}: ${attributes['usagetype']}`,
    appliesTo: [],
    rateCode: rate,
    beginRange: '0',
    pricePerUnit: { USD: price },
  };
  return {
    product: { productFamily, attributes, sku },
    serviceCode: 'AmazonRDS',
    terms: {
      OnDemand: {
        [offer]: {
          priceDimensions: { [rate]: dimension },
          sku,
          effectiveDate: '2026-07-01T00:00:00Z',
          offerTermCode: 'JRTCKXETXF',
          termAttributes: {},
        },
      },
    },
    version: '20260728000000',
    publicationDate: '2026-07-28T00:00:00Z',
  };
}
