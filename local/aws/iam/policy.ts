import { z } from 'zod';

const oneOrMore = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => (Array.isArray(value) ? value : [value]));

const statement = z.object({
  Sid: z.string().optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Action: oneOrMore,
  Resource: oneOrMore.default(['*']),
  Condition: z.record(z.string(), z.record(z.string(), oneOrMore)).optional(),
});

/** An identity-based policy (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html); `Not*` elements aren't known. */
export const policyDocument = z.object({ Version: z.string().optional(), Statement: z.array(statement) });
export type PolicyDocument = z.output<typeof policyDocument>;

/** The policy in a text; undefined if it is none. */
export function readPolicy(text: string): PolicyDocument | undefined {
  try {
    return policyDocument.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** What IAM says of a call, in the words of its simulator. */
export type Decision = 'allowed' | 'explicitDeny' | 'implicitDeny';

/** Values of condition keys; keys in lower case. */
export type RequestContext = ReadonlyMap<string, readonly string[]>;

/**
 * Decides as IAM does: a deny that applies wins, otherwise an allow that applies, otherwise nothing is allowed. Without a resource a statement applies
 * whatever its resource, for callers that don't know which one a call means.
 */
export function decide(
  policy: PolicyDocument | undefined,
  action: string,
  resource: string | undefined,
  context: RequestContext = new Map(),
): Decision {
  if (!policy) return 'allowed';
  const applying = policy.Statement.filter(
    (one) =>
      one.Action.some((pattern) => matches(pattern, action)) &&
      (resource === undefined
        ? one.Effect === 'Allow' || one.Resource.includes('*')
        : one.Resource.some((pattern) => matches(pattern, resource))) &&
      (resource === undefined || fulfils(one.Condition, context)),
  );
  if (applying.some(({ Effect }) => Effect === 'Deny')) return 'explicitDeny';
  return applying.length > 0 ? 'allowed' : 'implicitDeny';
}

/** Operators that compare, by what they make of one wanted value. */
const COMPARES: Readonly<Record<string, (wanted: string, value: string) => boolean>> = {
  Bool: (wanted, value) => wanted.toLowerCase() === value.toLowerCase(),
  StringEquals: (wanted, value) => wanted === value,
  StringLike: (wanted, value) => matches(wanted, value),
  ArnEquals: (wanted, value) => matches(wanted, value),
  ArnLike: (wanted, value) => matches(wanted, value),
};

/**
 * Whether all conditions of a statement are met. Of operators equality and presence are looked at, and their negations, which are met by a key that
 * isn't there; others are not fulfilled.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
 */
export function fulfils(condition: PolicyDocument['Statement'][number]['Condition'], context: RequestContext): boolean {
  return Object.entries(condition ?? {}).every(([operator, tests]) =>
    Object.entries(tests).every(([key, wanted]) => {
      const values = context.get(key.toLowerCase()) ?? [];
      if (operator === 'Null') return wanted.includes(String(values.length === 0));
      const [, kind = '', not = '', rest = '', ifExists = ''] =
        /^(Bool|String|Arn)(Not)?(Equals|Like)?(IfExists)?$/.exec(operator) ?? [];
      const compares = COMPARES[`${kind}${rest}`];
      if (!compares) return false;
      if (values.length === 0) return not !== '' || ifExists !== '';
      const met = values.some((value) => wanted.some((one) => compares(one, value)));
      return not === '' ? met : !met;
    }),
  );
}

/** Wildcards of IAM: `*` for any text, `?` for one character; actions know no case. */
export function matches(pattern: string, text: string): boolean {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${expression}$`, 'is').test(text);
}
