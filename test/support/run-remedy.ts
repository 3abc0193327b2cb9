import { DELETES } from '../../activities/preflight/remedy';
import type { ActivityLab } from './activity-lab';
import { findAwsCli, pasteAws } from './aws-cli';

/**
 * Runs a remedy on an instance as it is printed: SQL as `psql` would, line by line, and commands of `aws` by the real
 * command. Lines of comment are for people; of what deletes, the dashes are taken away, as it says.
 */
export async function runRemedy(lab: ActivityLab, instance: string, remedy: string | undefined): Promise<void> {
  if (!remedy) throw new Error('there is no remedy');
  let database = 'postgres';
  let ran = 0;
  let deletes = false;
  for (const printed of remedy.split('\n')) {
    deletes = printed === DELETES || (deletes && printed.startsWith('-- ') && printed.endsWith(';'));
    const line = deletes && printed !== DELETES ? printed.slice('-- '.length) : printed;
    if (line.startsWith('--') || line.startsWith('#')) continue;
    const connect = /^\\connect (?:"((?:[^"]|"")+)"|(\S+))$/.exec(line);
    if (connect) {
      database = connect[1]?.replaceAll('""', '"') ?? connect[2] ?? '';
    } else if (line.startsWith('aws ')) {
      const cli = findAwsCli();
      if (!cli) throw new Error('no aws command to be had');
      await pasteAws(cli, lab.standIn.endpoint, line);
      ran += 1;
    } else {
      await lab.sql(instance, line, database);
      ran += 1;
    }
  }
  if (ran === 0) throw new Error(`nothing to run in: ${remedy}`);
}
