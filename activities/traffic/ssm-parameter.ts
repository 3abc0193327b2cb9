import {
  GetParameterCommand,
  paginateDescribeParameters,
  PutParameterCommand,
  type PutParameterCommandInput,
} from '@aws-sdk/client-ssm';
import type { Aws } from '../dependencies';
import { finalFailure } from '../../plan/failures';
import { answerInTime, once, SIGNED_REQUEST_LIVES_MS } from '../one-request';
import { storedValue } from './stored-value';

/** AWS says of no read of a parameter that it shows the write before it; a second or so was seen. */
const SHOWS_WITHIN_MS = 15_000;
/** So many versions before ours are looked at: more than somebody writes in the moment between our read and our write. */
const MOST_VERSIONS = 10;

/** What PutParameter sets to a default of its own where a request leaves it out. Policies stay, tags are no part of it. */
type Properties = Pick<
  PutParameterCommandInput,
  'Type' | 'KeyId' | 'Tier' | 'AllowedPattern' | 'Description' | 'DataType'
>;

/**
 * PutParameter takes no condition. But each write makes a version, numbered without gaps: what somebody wrote between our read and our
 * write is a version between the two. Everything but the value is sent as it is: without its key, AWS encrypts the new value under
 * another one, `aws/ssm`, which applications may not be allowed to use.
 * @see https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
 * @see https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-versions.html
 */
export const ssmParameter = storedValue<{ type: 'ssm-parameter'; name: string }>(
  SIGNED_REQUEST_LIVES_MS + SHOWS_WITHIN_MS,
  (aws, { name }) => {
    let known: { readonly version: string; readonly properties: Properties } | undefined;
    const get = async (Name: string, options: object = {}) => {
      const { Parameter } = await aws.ssm.send(new GetParameterCommand({ Name, WithDecryption: true }), options);
      return { value: Parameter?.Value ?? '', version: String(Parameter?.Version ?? 0) };
    };
    return {
      what: `SSM parameter ${name}`,
      async read({ onlyLook = false, ...options } = {}) {
        const found = await get(name, options);
        // Whoever writes a version may change its key as well. Otherwise it is not asked for again, in the pause least of all.
        if (!onlyLook && known?.version !== found.version)
          known = { version: found.version, properties: await describe(aws, name, options) };
        return found;
      },
      async write(value) {
        const command = new PutParameterCommand({ ...known?.properties, Name: name, Value: value, Overwrite: true });
        const { Version } = await aws.ssm.send(once(command), answerInTime());
        if (known) known = { ...known, version: String(Version) };
      },
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

/** @throws ApplicationFailure TrafficRefused where AWS lists no such parameter: what is sent without them is encrypted under another key */
async function describe({ ssm }: Aws, name: string, options: object = {}): Promise<Properties> {
  const ParameterFilters = [{ Key: 'Name', Option: 'Equals', Values: [name] }];
  // A page may be empty, and not the last one.
  for await (const { Parameters = [] } of paginateDescribeParameters({ client: ssm }, { ParameterFilters }, options)) {
    const found = Parameters.find(({ Name }) => Name === name);
    if (!found) continue;
    const { Type, KeyId, Tier, AllowedPattern, Description, DataType } = found;
    return { Type, KeyId, Tier, AllowedPattern, Description, DataType };
  }
  throw finalFailure(
    'TrafficRefused',
    `ssm:DescribeParameters does not list the SSM parameter ${name}, so nobody knows its key and its tier. Name a parameter of this account in cutover.traffic.`,
  );
}
