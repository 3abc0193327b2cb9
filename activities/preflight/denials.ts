import { isDenied } from '../classify-error';

/** A call that AWS refused. */
export interface Denial {
  /** As policies write it, such as `rds:DescribeDBProxies`. */
  readonly action: string;
  readonly resource?: string;
  readonly principal?: string;
  readonly message: string;
}

/** Reads who was refused what, as AWS writes it; the action that we know of stands where the message doesn't say. */
export function denialOf(error: Error, action: string): Denial {
  const [, principal, named, resource] =
    /User: (\S+) is not authorized to perform: ([\w-]+:\w+)(?: on resource: (\S+))?/.exec(error.message) ?? [];
  return {
    action: named ?? action,
    message: error.message,
    ...(principal === undefined ? {} : { principal }),
    ...(resource === undefined ? {} : { resource }),
  };
}

/** Calls that were refused while we looked: each is a finding, and hides no other. */
export class Denials {
  readonly found: Denial[] = [];

  /**
   * @param action what is called, as a policy writes it
   * @returns what `look` answers, or `otherwise` if AWS refuses it
   */
  async unless<T, Other>(action: string, look: () => Promise<T>, otherwise: Other): Promise<T | Other> {
    try {
      return await look();
    } catch (error) {
      if (!isDenied(error)) throw error;
      this.found.push(denialOf(error, action));
      return otherwise;
    }
  }
}
