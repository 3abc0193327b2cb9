import { DescribeKeyCommand, GenerateDataKeyCommand, type KeyMetadata } from '@aws-sdk/client-kms';
import type { Check } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import { isAwsError } from '../classify-error';
import type { Aws } from '../dependencies';

const code = 'key-usable';

/**
 * Checks that RDS can use the key: it exists, is enabled, symmetric, for encryption, and its policy lets the caller use it
 * (RDS acts with the caller's permissions). The permission is tried with KMS's own `DryRun`, which changes nothing.
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
    if (!isAwsError(error, 'NotFoundException', 'InvalidArnException', 'AccessDeniedException', 'ValidationException'))
      throw error;
    return { check: { code, ...problem(kmsKeyId, aws, error as Error) } };
  }
  const arn = key?.Arn;
  if (!key || !arn) throw new Error(`DescribeKey gave no metadata for ${kmsKeyId}`);
  const wrong = wrongWith(key, kmsKeyId);
  if (wrong) return { check: { code, level: 'block', ...wrong }, arn };
  const denied = await deniedUse(aws, arn);
  if (denied) {
    return {
      arn,
      check: {
        code,
        level: 'block',
        message: `KMS does not let this caller use key ${kmsKeyId}: ${denied}.`,
        remedy: `# allow kms:CreateGrant, kms:DescribeKey, kms:GenerateDataKey*, kms:Decrypt and kms:ReEncrypt* in the key policy, also where it lets RDS use the key by kms:ViaService (Keyshift itself tries the key first):\naws kms put-key-policy --key-id ${arn} --policy-name default --policy file://policy.json`,
      },
    };
  }
  const evidence = { arn, multiRegion: key.MultiRegion ?? false, manager: key.KeyManager ?? '' };
  const kind = key.MultiRegion
    ? `, a multi-region key (${key.MultiRegionConfiguration?.MultiRegionKeyType ?? ''})`
    : '';
  return { arn, check: { code, level: 'ok', message: `${kmsKeyId} is ${arn}, enabled${kind}`, evidence } };
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

function problem(kmsKeyId: string, aws: Aws, error: Error): Pick<Check, 'level' | 'message' | 'remedy'> {
  if (error.name === 'AccessDeniedException') {
    return {
      level: 'block',
      message: `KMS does not let this caller see key ${kmsKeyId}: ${error.message}`,
      remedy: 'Allow kms:DescribeKey to the role of the Keyshift worker.',
    };
  }
  return {
    level: 'block',
    message: `There is no KMS key ${kmsKeyId} in region ${aws.region}: ${error.message}`,
    remedy: `# correct target.kmsKeyId; what there is:\naws kms list-aliases --region ${aws.region}`,
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

async function deniedUse(aws: Aws, arn: string): Promise<string | undefined> {
  try {
    await aws.kms.send(new GenerateDataKeyCommand({ KeyId: arn, KeySpec: 'AES_256', DryRun: true }));
    return undefined;
  } catch (error) {
    if (isAwsError(error, 'DryRunOperationException')) return undefined;
    if (isAwsError(error, 'AccessDeniedException')) return (error as Error).message || 'access denied';
    throw error;
  }
}
