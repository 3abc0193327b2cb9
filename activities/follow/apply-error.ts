import { awsOf, type Dependencies, instanceOf, type MigrationRef } from '../dependencies';
import { logTail } from '../rds/log-tail';
import { type ApplyError, lastApplyError, quoted } from './parse-apply-log';

/** What is known of why a subscription's workers fail. */
export interface WhyApplyFails {
  readonly found?: ApplyError;
  /** A sentence for people. */
  readonly text: string;
}

/**
 * Reads the server log of the side that changes go to for the last error of a subscription. What can't be read is no error: the sentence
 * says where to look then.
 * @param origin name of the subscription's replication origin, where it is known
 */
export async function whyApplyFails(
  deps: Dependencies,
  ref: MigrationRef,
  subscription: { readonly name: string; readonly origin?: string },
): Promise<WhyApplyFails> {
  const instance = instanceOf(ref, 'target');
  const lookYourself = `aws rds download-db-log-file-portion --db-instance-identifier ${instance} --log-file-name <the newest of aws rds describe-db-log-files>`;
  try {
    const found = lastApplyError(await logTail(awsOf(deps, ref), instance), subscription);
    if (found) return { found, text: `The server log of ${instance} says: ${quoted(found)}.` };
    return { text: `The end of its server log has no error of this subscription; look further back: ${lookYourself}.` };
  } catch (error) {
    return {
      text: `Its server log could not be read (${(error as Error).message}); the reason is there: ${lookYourself}.`,
    };
  }
}
