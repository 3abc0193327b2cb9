import { GetParameterCommand, PutParameterCommand, type ParameterType } from '@aws-sdk/client-ssm';
import { answerInTime, once, SIGNED_REQUEST_LIVES_MS } from '../one-request';
import { storedValue } from './stored-value';

/** AWS says of no read of a parameter that it shows the write before it; a second or so was seen. */
const SHOWS_WITHIN_MS = 15_000;
/** So many versions before ours are looked at: more than somebody writes in the moment between our read and our write. */
const MOST_VERSIONS = 10;

/**
 * PutParameter takes no condition. But each write makes a version, numbered without gaps: what somebody wrote between our read and our
 * write is a version between the two.
 * @see https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-versions.html
 */
export const ssmParameter = storedValue<{ type: 'ssm-parameter'; name: string }>(
  SIGNED_REQUEST_LIVES_MS + SHOWS_WITHIN_MS,
  (aws, { name }) => {
    let type: ParameterType | undefined;
    const get = async (Name: string, options: object = {}) => {
      const { Parameter } = await aws.ssm.send(new GetParameterCommand({ Name, WithDecryption: true }), options);
      return { value: Parameter?.Value ?? '', version: String(Parameter?.Version ?? 0), type: Parameter?.Type };
    };
    return {
      what: `SSM parameter ${name}`,
      async read(options) {
        const found = await get(name, options);
        type = found.type;
        return found;
      },
      write: (value) =>
        aws.ssm.send(
          once(new PutParameterCommand({ Name: name, Value: value, Type: type, Overwrite: true })),
          answerInTime(),
        ),
      async writtenBefore(read, now) {
        const first = Math.max(Number(read.version) + 1, Number(now.version) - MOST_VERSIONS);
        for (let version = Number(now.version) - 1; version >= first; version -= 1) {
          const found = await get(`${name}:${version}`);
          // A request of ours whose answer got lost made a version, too.
          if (found.value !== now.value) return found;
        }
        return undefined;
      },
    };
  },
);
