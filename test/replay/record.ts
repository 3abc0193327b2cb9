import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { version } from '../../package.json';
import { WorkflowLab } from '../support/workflow-lab';
import { toText } from './history-file';
import { SCENARIOS } from './scenarios';

/**
 * Records the histories against which test/replay holds every later version of the workflow:
 *
 *     npx tsx test/replay/record.ts [scenario...]
 *
 * Runs each scenario of scenarios.ts on a Temporal server of its own, against scripted activities, and writes
 * `histories/<scenario>_<version>.json`. Once released, a file is never recorded again: migrations of that version may
 * still run. A change of the workflow that breaks one needs `patched(...)`, or a new version and pinned workers.
 */
async function main(wanted: readonly string[]): Promise<void> {
  const folder = join(__dirname, 'histories');
  mkdirSync(folder, { recursive: true });
  const lab = await WorkflowLab.open();
  try {
    for (const [name, scenario] of Object.entries(SCENARIOS)) {
      if (wanted.length > 0 && !wanted.includes(name)) continue;
      const migration = await lab.migrate(scenario.activities);
      await scenario.operate(migration);
      await migration.result();
      const file = join(folder, `${name}_${version}.json`);
      writeFileSync(file, toText(await migration.handle.fetchHistory()));
      process.stdout.write(`${file}\n`);
    }
  } finally {
    await lab.close();
  }
}

void main(process.argv.slice(2));
