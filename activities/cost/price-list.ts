import { paginateGetProducts, type PricingClient } from '@aws-sdk/client-pricing';
import { z } from 'zod';

/** Nobody waits longer than this for a price, in milliseconds. */
const PATIENCE_MS = 15_000;

/** A price for a part of the quantity. */
export interface Tier {
  readonly from: number;
  readonly to: number;
  readonly price: number;
}

/** A price by AWS's list, on demand. */
export interface ListPrice {
  /** `USD`; `CNY` in the regions of China. */
  readonly currency: string;
  readonly tiers: readonly Tier[];
}

/** What is looked for: the attributes of one product, as the price list spells them. */
export interface WantedProduct {
  readonly productFamily: string;
  readonly regionCode: string;
  readonly deploymentOption: string;
  readonly [attribute: string]: string;
}

const priceDimension = z.object({
  unit: z.string(),
  beginRange: z.string().default('0'),
  endRange: z.string().default('Inf'),
  pricePerUnit: z.record(z.string(), z.string()),
});
/** Each item of the answer is the JSON of one product. Reservations are terms of their own, which nobody here looks at. */
const listedProduct = z.object({
  product: z.object({ attributes: z.record(z.string(), z.string()) }),
  terms: z.object({
    OnDemand: z.record(z.string(), z.object({ priceDimensions: z.record(z.string(), priceDimension) })).default({}),
  }),
});

/** Prices of storage are listed for engines by themselves, or for any. */
const ENGINES = ['PostgreSQL', 'Any'];

/**
 * The price of one product of RDS for PostgreSQL in its region.
 * @throws Error when the list has no such product, or several at different prices
 * @see https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html
 */
export async function listPrice(pricing: PricingClient, wanted: WantedProduct, unit: string): Promise<ListPrice> {
  const filters = { locationType: 'AWS Region', ...wanted };
  const input = {
    ServiceCode: 'AmazonRDS',
    FormatVersion: 'aws_v1',
    Filters: Object.entries(filters).map(([Field, Value]) => ({ Type: 'TERM_MATCH' as const, Field, Value })),
  };
  const byEngine = new Map<string, ListPrice[]>();
  const options = { abortSignal: AbortSignal.timeout(PATIENCE_MS) };
  for await (const { PriceList = [] } of paginateGetProducts({ client: pricing }, input, options)) {
    for (const item of PriceList) {
      const { product, terms } = listedProduct.parse(JSON.parse(String(item)));
      const engine = product.attributes['databaseEngine'] ?? 'Any';
      const prices = Object.values(terms.OnDemand).flatMap(({ priceDimensions }) =>
        priceOf(Object.values(priceDimensions).filter((dimension) => dimension.unit === unit)),
      );
      byEngine.set(engine, [...(byEngine.get(engine) ?? []), ...prices]);
    }
  }
  const found = ENGINES.map((engine) => byEngine.get(engine) ?? []).find((prices) => prices.length > 0) ?? [];
  const [price, ...others] = new Map(found.map((one) => [JSON.stringify(one), one])).values();
  const what = Object.values(wanted).join(', ');
  if (!price) throw new Error(`the price list has nothing for ${what} (${unit})`);
  if (others.length > 0) throw new Error(`the price list has ${others.length + 1} prices for ${what} (${unit})`);
  return price;
}

function priceOf(dimensions: readonly z.infer<typeof priceDimension>[]): ListPrice[] {
  const currency = Object.keys(dimensions[0]?.pricePerUnit ?? {})[0];
  if (currency === undefined) return [];
  const tiers = dimensions.map(({ beginRange, endRange, pricePerUnit }) => ({
    from: Number(beginRange),
    to: endRange === 'Inf' ? Number.MAX_VALUE : Number(endRange),
    price: Number(pricePerUnit[currency]),
  }));
  return [{ currency, tiers: tiers.sort((left, right) => left.from - right.from) }];
}

/** What a quantity costs: each part of it by its own tier. */
export const costOf = ({ tiers }: ListPrice, quantity: number): number =>
  tiers.reduce((sum, { from, to, price }) => sum + Math.max(0, Math.min(quantity, to) - from) * price, 0);
