import { type DBInstance, DescribeDBInstancesCommand } from '@aws-sdk/client-rds';
import { finalFailure } from '../../plan/failures';
import { isAwsError } from '../classify-error';
import type { Aws } from '../dependencies';
import { SETTING_FIELDS } from './setting-fields';

/** An instance, and what RDS says of it beyond what this version knows. */
export interface Description {
  readonly instance: DBInstance;
  /** Members that the SDK does not know and would leave out in silence, with their text. */
  readonly unknown: ReadonlyMap<string, string>;
}

/** Long values are cut; they are only for people. */
const SHOWN_CHARACTERS = 200;

/**
 * Describes an instance, members included that AWS has added since this version was built: they are in the answer, but the SDK drops
 * what its model does not have.
 * @throws ApplicationFailure ResourceGone when there is no such instance
 */
export async function describeInstance(aws: Aws, id: string): Promise<Description> {
  let answer = '';
  const command = new DescribeDBInstancesCommand({ DBInstanceIdentifier: id });
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const response = result.response as { body?: AsyncIterable<Uint8Array> | Uint8Array };
      if (response.body) {
        const bytes = response.body instanceof Uint8Array ? response.body : await collect(response.body);
        answer = Buffer.from(bytes).toString('utf8');
        response.body = bytes;
      }
      return result;
    },
    // Nearest to the wire: before the answer is read.
    { step: 'deserialize', name: 'keepAnswer', priority: 'low' },
  );
  try {
    const { DBInstances } = await aws.rds.send(command);
    const instance = DBInstances?.[0];
    if (instance) return { instance, unknown: unknownMembers(answer) };
  } catch (error) {
    if (!isAwsError(error, 'DBInstanceNotFound')) throw error;
  }
  throw finalFailure('ResourceGone', `There is no DB instance ${id} in region ${aws.region}.`);
}

async function collect(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Members of `DBInstance` in an answer that the table of settings does not have. */
export function unknownMembers(xml: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, text] of membersOf(xml, 'DBInstance')) {
    if (!(name in SETTING_FIELDS)) found.set(name, text.slice(0, SHOWN_CHARACTERS));
  }
  return found;
}

/** The elements directly inside the first element of a name. RDS writes plain XML: no CDATA, no comments. */
function membersOf(xml: string, element: string): [string, string][] {
  const members: [string, string][] = [];
  let depth = -1;
  let begun = 0;
  for (const tag of xml.matchAll(/<(\/?)([A-Za-z][\w.-]*)[^>]*?(\/?)>/g)) {
    const [text, closing, name = '', empty] = tag;
    if (depth < 0) {
      if (name === element && !closing && !empty) depth = 0;
      continue;
    }
    if (closing) {
      if (depth === 0) return members;
      depth -= 1;
      if (depth === 0) members.push([name, xml.slice(begun, tag.index)]);
    } else if (empty) {
      if (depth === 0) members.push([name, '']);
    } else {
      if (depth === 0) begun = tag.index + text.length;
      depth += 1;
    }
  }
  return members;
}
