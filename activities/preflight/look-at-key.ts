import { DescribeKeyCommand, GetKeyPolicyCommand, type KeyMetadata } from '@aws-sdk/client-kms';
import type { Check } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import { isAwsError, isDenied } from '../classify-error';
import type { Aws } from '../dependencies';
import { deniedByKeyPolicy, NEEDED_BY_RDS } from './key-policy';

const code = 'key-usable';

/**
 * Checks that RDS can use the key: it exists, is enabled, symmetric, for encryption, and its policy lets somebody of its account use it. RDS acts with the
 * caller's permissions, and only by way of RDS may that be allowed (`kms:ViaService`), so nobody can try it without making something: the policy is read.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.Encryption.Keys.html
 */
export async function checkKey(aws: Aws, plan: Plan): Promise<{ check: Check; arn?: string }> {
  const { kmsKeyId } = plan.target;
  const elsewhere = regionOf(kmsKeyId);
  if (elsewhere !== undefined && elsewhere !== aws.region)
    return { check: { code, ...otherRegion(kmsKeyId, aws, elsewhere) } };
  let key: KeyMetadata | undefined;
  try {
    key = (await aws.kms.send(new DescribeKeyCommand({ KeyId: kmsKeyId }))).KeyMetadata;
  } catch (error) {
    if (isDenied(error)) return unseen(kmsKeyId, error);
    if (!isAwsError(error, 'NotFoundException', 'InvalidArnException', 'ValidationException')) throw error;
    return { check: { code, ...missing(kmsKeyId, aws, error as Error) } };
  }
  const arn = key?.Arn;
  if (!key || !arn) throw new Error(`DescribeKey gave no metadata for ${kmsKeyId}`);
  const wrong = wrongWith(key, kmsKeyId);
  if (wrong) return { check: { code, level: 'block', ...wrong }, arn };
  const policy = await policyOf(aws, arn);
  const evidence = {
    arn,
    multiRegion: key.MultiRegion ?? false,
    manager: key.KeyManager ?? '',
    policyRead: policy !== undefined,
  };
  const denied = deniedByKeyPolicy(policy ?? '', key.AWSAccountId ?? '', aws.region);
  if (denied.length > 0)
    return { arn, check: { code, level: 'warn', ...closed(kmsKeyId, arn, aws, denied), evidence } };
  const kind = key.MultiRegion
    ? `, a multi-region key (${key.MultiRegionConfiguration?.MultiRegionKeyType ?? ''})`
    : '';
  const unread =
    policy === undefined
      ? '. The worker may not read its policy (kms:GetKeyPolicy), so whether RDS may use it shows at the step encrypt'
      : '';
  return { arn, check: { code, level: 'ok', message: `${kmsKeyId} is ${arn}, enabled${kind}${unread}`, evidence } };
}

/** The region that a key's ARN names; undefined for an id or an alias by name. */
const regionOf = (keyId: string): string | undefined => /^arn:[\w-]+:kms:([\w-]+):/.exec(keyId)?.[1];

/** RDS encrypts with keys of its own region. */
function otherRegion(kmsKeyId: string, aws: Aws, region: string): Pick<Check, 'level' | 'message' | 'remedy'> {
  return {
    level: 'block',
    message: `KMS key ${kmsKeyId} is one of region ${region}; the target is in ${aws.region}, and RDS takes keys of its own region only.`,
    remedy: `# name a key of ${aws.region} in target.kmsKeyId (a multi-region key has a replica there: aws kms replicate-key --region ${region} --key-id ${kmsKeyId} --replica-region ${aws.region}); what there is:\naws kms list-aliases --region ${aws.region}`,
  };
}

/** Whoever may use a key by way of RDS only may not look at it. Its ARN is enough to go on, since RDS looks at it, too. */
function unseen(kmsKeyId: string, error: Error): { check: Check; arn?: string } {
  const message = `KMS does not let this caller see key ${kmsKeyId}: ${error.message}`;
  if (!/^arn:[\w-]+:kms:[\w-]+:\d+:key\//.test(kmsKeyId)) {
    const remedy =
      "Allow kms:DescribeKey to the role of the Keyshift worker, or name the key by its ARN (arn:aws:kms:...:key/...) in target.kmsKeyId: then RDS's word is enough.";
    return { check: { code, level: 'block', message, remedy } };
  }
  const remedy =
    'Allow kms:DescribeKey to the role of the Keyshift worker, or acknowledge it: RDS refuses a key that is disabled, or not symmetric, at the step encrypt.';
  return { arn: kmsKeyId, check: { code, level: 'warn', message, remedy, evidence: { arn: kmsKeyId } } };
}

function missing(kmsKeyId: string, aws: Aws, error: Error): Pick<Check, 'level' | 'message' | 'remedy'> {
  return {
    level: 'block',
    message: `There is no KMS key ${kmsKeyId} in region ${aws.region}: ${error.message}`,
    remedy: `# correct target.kmsKeyId; what there is:\naws kms list-aliases --region ${aws.region}`,
  };
}

function closed(kmsKeyId: string, arn: string, aws: Aws, denied: readonly string[]): Pick<Check, 'message' | 'remedy'> {
  const Condition = { StringEquals: { 'kms:ViaService': `rds.${aws.region}.amazonaws.com` } };
  const statement = {
    Sid: 'RdsForKeyshift',
    Effect: 'Allow',
    Principal: { AWS: '<ARN of the role of the Keyshift worker>' },
    Action: NEEDED_BY_RDS,
    Resource: '*',
    Condition,
  };
  return {
    message: `The policy of key ${kmsKeyId} allows ${denied.join(' and ')} to nobody of its account by way of RDS; RDS needs both from whoever encrypts with a key. Unless a grant allows it, RDS will refuse the key.`,
    remedy: `# its policy, to which to add this statement:\n# ${JSON.stringify(statement)}\naws kms get-key-policy --key-id ${arn} --policy-name default --query Policy --output text > policy.json\naws kms put-key-policy --key-id ${arn} --policy-name default --policy file://policy.json`,
  };
}

function wrongWith(key: KeyMetadata, kmsKeyId: string): Pick<Check, 'message' | 'remedy'> | undefined {
  switch (key.KeyState) {
    case 'Enabled':
      break;
    case 'Disabled':
      return {
        message: `KMS key ${kmsKeyId} is disabled.`,
        remedy: `aws kms enable-key --key-id ${key.KeyId}`,
      };
    case 'PendingDeletion':
      return {
        message: `KMS key ${kmsKeyId} is pending deletion (${key.DeletionDate?.toISOString()}): everything under it would be lost.`,
        remedy: `# name another key, or keep this one:\naws kms cancel-key-deletion --key-id ${key.KeyId}\naws kms enable-key --key-id ${key.KeyId}`,
      };
    default:
      return { message: `KMS key ${kmsKeyId} is in state ${key.KeyState}.`, remedy: 'Name a key in state Enabled.' };
  }
  if (key.KeyUsage === 'ENCRYPT_DECRYPT' && (key.KeySpec ?? 'SYMMETRIC_DEFAULT') === 'SYMMETRIC_DEFAULT')
    return undefined;
  return {
    message: `KMS key ${kmsKeyId} is of spec ${key.KeySpec}, usage ${key.KeyUsage}; RDS takes symmetric encryption keys only.`,
    remedy: 'Name a key of spec SYMMETRIC_DEFAULT and usage ENCRYPT_DECRYPT.',
  };
}

/** The key's policy; undefined if the worker may not read it, as nobody of another account may. */
async function policyOf(aws: Aws, arn: string): Promise<string | undefined> {
  try {
    return (await aws.kms.send(new GetKeyPolicyCommand({ KeyId: arn, PolicyName: 'default' }))).Policy;
  } catch (error) {
    if (isDenied(error) || isAwsError(error, 'NotFoundException')) return undefined;
    throw error;
  }
}
