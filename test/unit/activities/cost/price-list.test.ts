import { type GetProductsCommandOutput, PricingClient } from '@aws-sdk/client-pricing';
import { costOf, listPrice } from '../../../../activities/cost/price-list';

const WANTED = { productFamily: 'Database Storage', regionCode: 'eu-central-1', deploymentOption: 'Single-AZ' };

const dimension = (price: string, changes: object = {}) => ({
  unit: 'GB-Mo',
  beginRange: '0',
  endRange: 'Inf',
  pricePerUnit: { USD: price },
  ...changes,
});
const item = (databaseEngine: string, terms: object) =>
  JSON.stringify({ product: { productFamily: 'Database Storage', attributes: { databaseEngine } }, terms });
const onDemand = (...dimensions: readonly object[]) => ({
  OnDemand: { offer: { priceDimensions: Object.fromEntries(dimensions.map((one, place) => [`rate${place}`, one])) } },
});

/** The answers of a price list with these products, two to a page. */
function asked(...items: readonly string[]): Promise<Awaited<ReturnType<typeof listPrice>>> {
  const send = ({ input }: { input: { NextToken?: string } }): Promise<Partial<GetProductsCommandOutput>> => {
    const start = Number(input.NextToken ?? 0);
    const NextToken = start + 2 < items.length ? { NextToken: String(start + 2) } : {};
    return Promise.resolve({ PriceList: items.slice(start, start + 2), ...NextToken });
  };
  // The SDK's paginator asks whether it is a client of its own.
  const client = Object.assign(Object.create(PricingClient.prototype) as PricingClient, { send });
  return listPrice(client, WANTED, 'GB-Mo');
}

test('prices of the engine go before those of any, and other engines do not count', async () => {
  const [any, postgres, other] = [
    item('Any', onDemand(dimension('0.1'))),
    item('PostgreSQL', onDemand(dimension('0.2'))),
    item('SQL Server', onDemand(dimension('0.3'))),
  ];
  await expect(asked(other, any, postgres)).resolves.toMatchObject({ currency: 'USD', tiers: [{ price: 0.2 }] });
  await expect(asked(other, any)).resolves.toMatchObject({ tiers: [{ price: 0.1 }] });
  await expect(asked(other)).rejects.toThrow(
    'the price list has nothing for Database Storage, eu-central-1, Single-AZ (GB-Mo)',
  );
});

test('reservations and other units do not count', async () => {
  const reserved = item('Any', { Reserved: { offer: { priceDimensions: { rate: dimension('9') } } } });
  const byHour = item('Any', onDemand(dimension('8', { unit: 'Hrs' })));
  await expect(asked(reserved, byHour)).rejects.toThrow('nothing for');
  await expect(asked(reserved, byHour, item('Any', onDemand(dimension('0.1'))))).resolves.toMatchObject({
    tiers: [{ price: 0.1 }],
  });
});

test('the same price twice is one; two prices are none', async () => {
  const [one, again, other] = ['0.1', '0.10', '0.2'].map((price) => item('Any', onDemand(dimension(price))));
  await expect(asked(one ?? '', again ?? '')).resolves.toMatchObject({ tiers: [{ price: 0.1 }] });
  await expect(asked(one ?? '', other ?? '')).rejects.toThrow('has 2 prices for');
});

test('each part of a quantity has the price of its tier', async () => {
  const price = await asked(
    item(
      'Any',
      onDemand(
        dimension('0.05', { beginRange: '64000' }),
        dimension('0.10', { endRange: '32000' }),
        dimension('0.07', { beginRange: '32000', endRange: '64000' }),
      ),
    ),
  );
  expect(costOf(price, 1_000)).toBeCloseTo(100);
  expect(costOf(price, 40_000)).toBeCloseTo(3_200 + 560);
  expect(costOf(price, 70_000)).toBeCloseTo(3_200 + 2_240 + 300);
  expect(costOf(price, 0)).toBe(0);
});
