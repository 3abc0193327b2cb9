import { GetParameterCommand, PutParameterCommand, type ParameterType } from '@aws-sdk/client-ssm';
import { GetSecretValueCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import type { TrafficSwitch } from '../../plan/plan';
import type { Aws } from '../dependencies';

/** One place that tells applications where their database is. Values may hold passwords: they never leave the worker. */
export interface TrafficStore {
  /** What the report calls it. */
  readonly what: string;
  read(): Promise<string>;
  /** Replaces the value; the store keeps the old one as a version of its own. */
  write(value: string): Promise<void>;
}

/** The store that an entry of `cutover.traffic` names. */
export function trafficStore(aws: Aws, entry: TrafficSwitch): TrafficStore {
  return entry.type === 'ssm-parameter' ? ssmParameter(aws, entry.name) : secret(aws, entry.secret);
}

/** @see https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-versions.html */
function ssmParameter(aws: Aws, name: string): TrafficStore {
  let type: ParameterType | undefined;
  return {
    what: `SSM parameter ${name}`,
    async read() {
      const { Parameter } = await aws.ssm.send(new GetParameterCommand({ Name: name, WithDecryption: true }));
      type = Parameter?.Type;
      return Parameter?.Value ?? '';
    },
    async write(value) {
      await aws.ssm.send(new PutParameterCommand({ Name: name, Value: value, Type: type, Overwrite: true }));
    },
  };
}

/** The old value stays as the version with the stage AWSPREVIOUS. */
function secret(aws: Aws, id: string): TrafficStore {
  return {
    what: `secret ${id}`,
    async read() {
      const { SecretString } = await aws.secrets.send(new GetSecretValueCommand({ SecretId: id }));
      return SecretString ?? '';
    },
    async write(value) {
      await aws.secrets.send(new PutSecretValueCommand({ SecretId: id, SecretString: value }));
    },
  };
}
