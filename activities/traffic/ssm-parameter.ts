import { GetParameterCommand, PutParameterCommand, type ParameterType } from '@aws-sdk/client-ssm';
import { storedValue } from './stored-value';

/** @see https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-versions.html */
export const ssmParameter = storedValue<{ type: 'ssm-parameter'; name: string }>((aws, { name }) => {
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
});
