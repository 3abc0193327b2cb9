import { parseArgs } from 'node:util';
import { version } from '../../package.json';
import { waitFor } from '../../local/world/wait-for';
import type { Report } from '../../plan/report';
import { type ScriptedMigration, WorkflowLab } from '../support/workflow-lab';
import { historyFiles, writeHistory } from './history-file';
import { type Course, type Scenario, SCENARIOS } from './scenarios';

/** Most scenarios wait most of the time. */
const AT_ONCE = 3;
/** Nobody waits for it, and a machine that is busy must not spoil a recording. */
const PACE = { heartbeatMs: 250, timeoutMs: 600_000, everyMs: 250 };

async function record(lab: WorkflowLab, name: string, scenario: Scenario, file: string): Promise<string> {
  const course: Course = scenario();
  const migration = await lab.migrate(course.activities, course.plan, course.workflow);
  try {
    await course.operate(migration);
    const { ends = 'completed' } = course;
    const ended = await howItEnded(course, migration);
    if (ended !== ends) throw new Error(`${name} ended as ${ended}, not as ${ends}`);
    return writeHistory(file, await migration.handle.fetchHistory());
  } finally {
    await migration.end();
  }
}

async function howItEnded({ workflow, ends }: Course, migration: ScriptedMigration): Promise<string> {
  const result = (await migration.handle.result().catch(() => undefined)) as Report | undefined;
  if (workflow === 'preflightDatabase') return result ? 'completed' : 'failed';
  if (result) return result.status;
  // Without a plan there is no report to be asked for.
  if (ends === 'invalid') return (await migration.failure()).type === 'InvalidPlan' ? ends : 'failed';
  const asked = await waitFor('the report', () => migration.report().catch(() => undefined), PACE);
  return asked.status;
}

/**
 * Records the histories against which test/replay holds every later version of the workflow:
 *
 *     npx tsx test/replay/record.ts [--change <name>] [scenario...]
 *
 * Runs each scenario on a Temporal server of its own, against scripted activities, and writes a file for each:
 * - `histories/<scenario>_<version>.json.gz`: the workflow of that version, as it was when the scenario came.
 * - `histories/<scenario>_<version>-<name>.json.gz`: the workflow since the change of that name, within the same version. Say
 *   `--change` with the name that the change has in `patched('<name>-<date>')`, and record the scenarios whose commands it changes.
 *
 * A file that is there is never recorded again, whatever is asked: migrations that went that way may still run. A change of the
 * workflow that breaks one needs `patched(...)`, or a new version and pinned workers.
 */
async function main(change: string | undefined, wanted: readonly string[]): Promise<void> {
  const unknown = wanted.filter((name) => !(name in SCENARIOS));
  if (unknown.length > 0) throw new Error(`no such scenario: ${unknown.join(', ')}`);
  const suffix = change === undefined ? version : `${version}-${change}`;
  const recorded = historyFiles();
  const due = Object.entries(SCENARIOS)
    .filter(([name]) => wanted.length === 0 || wanted.includes(name))
    .map(([name, scenario]) => ({ name, scenario, file: `${name}_${suffix}` }))
    .filter(({ file }) => !recorded.some((one) => one.startsWith(`${file}.`)));
  const lab = await WorkflowLab.open(PACE);
  try {
    const one = async (): Promise<void> => {
      for (let next = due.shift(); next; next = due.shift()) {
        await record(lab, next.name, next.scenario, next.file).then(
          (path) => console.log(path),
          (error: unknown) => {
            process.exitCode = 1;
            console.error(`${next?.name}: ${String(error)}`);
          },
        );
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
  } finally {
    await lab.close();
  }
}

const { values, positionals } = parseArgs({ options: { change: { type: 'string' } }, allowPositionals: true });
void main(values.change, positionals);
