import { z } from 'zod';

/**
 * What RDS asks of a key in the name of whoever calls it. Everything else it does with the grant.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.Encryption.Keys.html
 */
export const NEEDED_BY_RDS: readonly string[] = ['kms:CreateGrant', 'kms:DescribeKey'];

const oneOrMore = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => (Array.isArray(value) ? value : [value]));
const statement = z.object({
  Effect: z.enum(['Allow', 'Deny']),
  Principal: z.union([z.literal('*'), z.record(z.string(), oneOrMore)]).optional(),
  Action: oneOrMore.optional(),
  NotAction: oneOrMore.optional(),
  Condition: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
});
type Statement = z.output<typeof statement>;
const document = z.object({ Statement: z.union([z.array(statement), statement.transform((one) => [one])]) });

/**
 * What RDS needs of a key and the key's policy lets nobody of an account do, so that no policy of IAM can. Only what is certain without knowing the caller:
 * conditions count as met, but for a `kms:ViaService` that names other services only. A grant may allow it all the same.
 * @returns actions; none where the policy allows all of them, or is none that we understand
 */
export function deniedByKeyPolicy(policy: string, account: string, region: string): string[] {
  const statements = parse(policy);
  if (!statements) return [];
  const mayAllow = (action: string) =>
    statements.some(
      (one) =>
        one.Effect === 'Allow' && covers(one, action) && mayBeOf(one, account) && !isForOtherServices(one, region),
    );
  const denies = (action: string) =>
    statements.some(
      (one) => one.Effect === 'Deny' && covers(one, action) && isForEverybody(one) && one.Condition === undefined,
    );
  return NEEDED_BY_RDS.filter((action) => !mayAllow(action) || denies(action));
}

function parse(policy: string): readonly Statement[] | undefined {
  try {
    return document.parse(JSON.parse(policy)).Statement;
  } catch {
    return undefined;
  }
}

const covers = ({ Action, NotAction = [] }: Statement, action: string): boolean =>
  Action ? Action.some((one) => matches(one, action)) : !NotAction.some((one) => matches(one, action));

const principals = ({ Principal }: Statement): readonly string[] =>
  Principal === '*' ? ['*'] : (Principal?.['AWS'] ?? []);

const isForEverybody = (one: Statement): boolean => principals(one).includes('*');

/** Without `Principal` it has `NotPrincipal`, which may mean anybody. */
const mayBeOf = (one: Statement, account: string): boolean =>
  one.Principal === undefined ||
  principals(one).some((name) => name === '*' || name === account || name.includes(`:${account}:`));

/** `rds.<region>.amazonaws.com`, in China with one more label. */
function isForOtherServices({ Condition = {} }: Statement, region: string): boolean {
  return Object.entries(Condition).some(([operator, tests]) => {
    if (!/^String(Equals|Like)/.test(operator)) return false;
    const [, named] = Object.entries(tests).find(([key]) => key.toLowerCase() === 'kms:viaservice') ?? [];
    const services = oneOrMore.safeParse(named).data;
    return services !== undefined && !services.some((one) => isRds(one, region));
  });
}

const isRds = (service: string, region: string): boolean =>
  ['', '.cn'].some((end) => matches(service, `rds.${region}.amazonaws.com${end}`));

/** Wildcards of policies: `*` for any text, `?` for one character. */
function matches(pattern: string, text: string): boolean {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${expression}$`, 'i').test(text);
}
