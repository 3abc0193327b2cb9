import { DescribeKeyCommand } from '@aws-sdk/client-kms';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from '../tools/paths';
import { control } from '../world/control';
import type { Aws } from './aws';
import { SAMPLE } from './names';

/** The access key of a world's workers; everybody else in it is called `local`, and may do everything. */
export const WORKER_ACCESS_KEY = 'worker';

/** The bucket that plans of the tests write reports to. */
export const REPORT_BUCKET = 'keyshift-evidence';

/** What the stand-in has refused to workers, by action and resource. */
export type Refused = readonly string[];

interface World {
  readonly awsEndpoint: string;
  readonly region: string;
  readonly accountId: string;
}

/**
 * Lets the workers of a world do what `docs/iam-policy.json` and `docs/iam-policy-options.json` allow for the sample application, and nothing else, so that a
 * call that the documents forget is refused here before it is refused on AWS.
 */
export async function holdWorkersToThePolicy(world: World, aws: Aws): Promise<void> {
  const { KeyMetadata } = await aws.kms.send(new DescribeKeyCommand({ KeyId: SAMPLE.keyAlias }));
  const Statement = ['iam-policy.json', 'iam-policy-options.json'].flatMap((name) => {
    const text = filledIn(readFileSync(join(REPOSITORY, 'docs', name), 'utf8'), world, KeyMetadata?.Arn ?? '');
    return (JSON.parse(text) as { Statement: object[] }).Statement;
  });
  await control(world, 'PATCH', 'iam', { policy: { Statement }, enforce: true, caller: WORKER_ACCESS_KEY });
}

/** Lets workers do everything again, for a test whose plans name what the documents don't. */
export async function liftThePolicy(world: World): Promise<void> {
  await control(world, 'PATCH', 'iam', { enforce: false });
}

/** What was refused to workers so far. */
export async function refusedCalls(world: World): Promise<Refused> {
  const { refused } = (await control(world, 'PATCH', 'iam', {})) as { readonly refused?: Refused };
  return refused ?? [];
}

function filledIn(text: string, { region, accountId }: World, keyArn: string): string {
  const values: Readonly<Record<string, string>> = {
    'RENAMED-SOURCE': `${SAMPLE.instance}-old`,
    'SOURCE-INSTANCE': SAMPLE.instance,
    'SOURCE-REPLICA': `${SAMPLE.instance}-replica`,
    'TARGET-INSTANCE': SAMPLE.encryptedInstance,
    'SOURCE-MASTER-SECRET': SAMPLE.masterSecret,
    'TRAFFIC-SECRET': SAMPLE.appSecret,
    'TRAFFIC-PARAMETER': SAMPLE.endpointParameter.replace(/^\//, ''),
    'REPORT-BUCKET': REPORT_BUCKET,
    'TARGET-KEY-ID': keyArn.split('/').at(-1) ?? '',
    REGION: region,
    ACCOUNT: accountId,
  };
  return text.replaceAll(new RegExp(Object.keys(values).join('|'), 'g'), (name) => values[name] ?? name);
}
