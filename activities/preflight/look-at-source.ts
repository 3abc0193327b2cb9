import type { DBInstance } from '@aws-sdk/client-rds';
import type { Check } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import type { Aws } from '../dependencies';
import { growCommand, isFull, isUp, statusOf } from '../rds/instance-status';

/** Major versions that the technique is measured on (docs/how-it-works.md). */
const SUPPORTED_MAJORS = { from: 13, to: 18 };

/** Checks of the source as AWS describes it. */
export function checkSource(aws: Aws, plan: Plan, source: DBInstance | undefined): Check[] {
  const { instance } = plan.source;
  if (!source) {
    return [
      {
        code: 'source-exists',
        level: 'block',
        message: `There is no DB instance ${instance} in region ${aws.region}.`,
        remedy: `# correct source.instance or source.region; what there is:\naws rds describe-db-instances --region ${aws.region} --query "DBInstances[].DBInstanceIdentifier"`,
      },
    ];
  }
  return [
    { code: 'source-exists', level: 'ok', message: `${instance} is ${source.DBInstanceArn}` },
    checkEngine(instance, source),
    checkAvailable(instance, source),
  ];
}

function checkEngine(instance: string, { Engine, EngineVersion }: DBInstance): Check {
  const major = Number(EngineVersion?.split('.')[0]);
  const found = `${instance} runs ${Engine} ${EngineVersion}`;
  if (Engine !== 'postgres') {
    return {
      code: 'source-engine',
      level: 'block',
      message: `${found}.`,
      remedy: 'The strategy snapshot-cdc moves RDS for PostgreSQL instances (engine "postgres").',
    };
  }
  if (major >= SUPPORTED_MAJORS.from && major <= SUPPORTED_MAJORS.to)
    return { code: 'source-engine', level: 'ok', message: found };
  return {
    code: 'source-engine',
    level: 'block',
    message: `${found}; Keyshift knows PostgreSQL ${SUPPORTED_MAJORS.from} to ${SUPPORTED_MAJORS.to}.`,
    remedy: `# upgrade the instance first:\naws rds modify-db-instance --db-instance-identifier ${instance} --engine-version <version> --allow-major-version-upgrade`,
  };
}

function checkAvailable(instance: string, source: DBInstance): Check {
  const code = 'source-available';
  const status = statusOf(source);
  if (status === 'available') return { code, level: 'ok', message: `${instance} is available` };
  if (isUp(source)) {
    return {
      code,
      level: 'ok',
      message: `${instance} is ${status}, and serves; what RDS does only with an instance that is available waits for the end of that`,
    };
  }
  return {
    code,
    level: 'block',
    message: isFull(source)
      ? `${instance} is full (storage-full), and takes no writes.`
      : `${instance} is in state ${status}.`,
    remedy: remedyOf(instance, source),
  };
}

function remedyOf(instance: string, source: DBInstance): string {
  if (statusOf(source) === 'stopped') return `aws rds start-db-instance --db-instance-identifier ${instance}`;
  if (isFull(source)) return growCommand(instance, source);
  return `aws rds wait db-instance-available --db-instance-identifier ${instance}`;
}

/** A source that is encrypted with the wanted key already has nothing to gain. */
export function checkEncryption(source: DBInstance, targetKeyArn: string): Check {
  const now = source.StorageEncrypted ? `encrypted under ${source.KmsKeyId}` : 'not encrypted';
  const message = `${source.DBInstanceIdentifier} is ${now}`;
  if (!source.StorageEncrypted || source.KmsKeyId !== targetKeyArn)
    return { code: 'source-encryption', level: 'ok', message };
  return {
    code: 'source-encryption',
    level: 'block',
    message: `${message}, which is what the plan wants: there is nothing to move.`,
    remedy: 'Name another key in target.kmsKeyId.',
  };
}
