import { GetProductsCommand, type GetProductsCommandInput } from '@aws-sdk/client-pricing';
import { callAws, findAwsCli } from '../../support/aws-cli';
import { StandIn } from '../../support/stand-in';

let aws: StandIn;
beforeAll(async () => {
  aws = await StandIn.start();
});
afterAll(() => aws?.remove());

const filters = (wanted: Readonly<Record<string, string>>) =>
  Object.entries(wanted).map(([Field, Value]) => ({ Type: 'TERM_MATCH' as const, Field, Value }));
/** Items of the answer, which are text. */
const products = async (input: Partial<GetProductsCommandInput>): Promise<{ items: string[]; next?: string }> => {
  const command = new GetProductsCommand({ ServiceCode: 'AmazonRDS', ...input });
  const { PriceList, NextToken } = (await aws.pricing().send(command)) as { PriceList?: string[]; NextToken?: string };
  return { items: PriceList ?? [], ...(NextToken ? { next: NextToken } : {}) };
};
const ATTRIBUTES = {
  regionCode: 'eu-central-1',
  instanceType: 'db.m6g.large',
  databaseEngine: 'PostgreSQL',
  deploymentOption: 'Single-AZ',
  locationType: 'AWS Region',
};
const LARGE = { productFamily: 'Database Instance', ...ATTRIBUTES };

interface Listed {
  readonly product: { readonly attributes: Readonly<Record<string, string>> };
  readonly terms: { readonly OnDemand: Readonly<Record<string, { readonly priceDimensions: object }>> };
}

it('tells the price of a class, as the JSON of each product in a list', async () => {
  const { items } = await products({ Filters: filters(LARGE) });
  expect(items).toHaveLength(1);
  const { product, terms } = JSON.parse(items[0] ?? '') as Listed;
  expect(product.attributes).toMatchObject({ ...ATTRIBUTES, engineCode: '14' });
  const [offer] = Object.values(terms.OnDemand);
  expect(Object.values(offer?.priceDimensions ?? {})).toMatchObject([
    { unit: 'Hrs', beginRange: '0', endRange: 'Inf', pricePerUnit: { USD: '0.1590000000' } },
  ]);
});

it('gives what does not exist as an empty list, and many in pages', async () => {
  await expect(products({ Filters: filters({ ...LARGE, instanceType: 'db.z99.large' }) })).resolves.toEqual({
    items: [],
  });
  const first = await products({ MaxResults: 40 });
  expect(first.items).toHaveLength(40);
  const second = await products({ MaxResults: 40, NextToken: first.next });
  expect(second.items[0]).not.toEqual(first.items[0]);
});

const command = findAwsCli();
(command === undefined ? it.skip : it)('answers the aws command', async () => {
  const text = await callAws(
    command ?? '',
    aws.endpoint,
    ...['pricing', 'get-products', '--service-code', 'AmazonRDS', '--region', 'us-east-1', '--filters'],
    ...filters({ productFamily: 'Database Storage', regionCode: 'us-east-1', volumeType: 'General Purpose-GP3' }).map(
      ({ Type, Field, Value }) => `Type=${Type},Field=${Field},Value=${Value}`,
    ),
  );
  const { PriceList } = JSON.parse(text) as { PriceList: string[] };
  const listed = PriceList.map((item) => (JSON.parse(item) as Listed).product.attributes['usagetype']);
  expect(listed).toEqual(['RDS:GP3-Storage', 'RDS:Multi-AZ-GP3-Storage']);
});
