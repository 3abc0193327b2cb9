import { z } from 'zod';
import { AwsError } from '../errors';
import type { JsonOperation } from '../json-protocol';
import { page } from '../json-protocol';
import { listed, type Product, rdsProducts } from './products';

const productsInput = z.object({
  ServiceCode: z.string().min(1),
  FormatVersion: z.literal('aws_v1').default('aws_v1'),
  Filters: z.array(z.object({ Type: z.string(), Field: z.string().min(1), Value: z.string().min(1) })).default([]),
  MaxResults: z.int().min(1).max(100).default(100),
  NextToken: z.string().optional(),
});

/** The price list (https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html). */
export function pricingOperations(): Record<string, JsonOperation> {
  return {
    GetProducts(input) {
      const parsed = productsInput.safeParse(input);
      if (!parsed.success) throw new AwsError('InvalidParameterException', z.prettifyError(parsed.error));
      const { ServiceCode, FormatVersion, Filters, MaxResults, NextToken } = parsed.data;
      const other = Filters.find(({ Type }) => Type !== 'TERM_MATCH');
      if (other) throw new AwsError('InvalidParameterException', `The stand-in has no filters of type ${other.Type}.`);
      const found = (ServiceCode === 'AmazonRDS' ? rdsProducts() : []).filter((product) =>
        Filters.every(({ Field, Value }) => attributeOf(product, Field) === Value),
      );
      const { items, next } = page(found, NextToken, MaxResults);
      return { FormatVersion, PriceList: items.map((item) => JSON.stringify(listed(item))), NextToken: next };
    },
  };
}

/** The family and the service are filtered by as attributes are. */
const attributeOf = ({ productFamily, attributes }: Product, field: string): string | undefined =>
  field === 'productFamily' ? productFamily : field === 'ServiceCode' ? 'AmazonRDS' : attributes[field];
