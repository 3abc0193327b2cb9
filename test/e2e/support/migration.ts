import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSample } from '../../../local/app/source';
import { holdWorkersToThePolicy } from '../../../local/app/worker-policy';
import { SAMPLE_PLAN } from '../../../local/app/names';
import { SampleApplication } from '../../../local/app/process';
import { CommandError, type CommandResult, runCommand } from '../../../local/tools/run-command';
import { queryWorkflow } from '../../../local/world/query-workflow';
import type { World } from '../../../local/world/world';
import type { Progress } from '../../../plan/progress';
import { awsOf, eventually } from './worlds';

export const MIGRATION = 'encrypt-app-db';

/** The sample source, filled, for workers that may do what the documents allow them. */
export async function sample(world: World, rows = 2_000): Promise<void> {
  const aws = awsOf(world);
  await createSample(aws, world.caBundle, { rows, report: () => undefined });
  await holdWorkersToThePolicy(world, aws);
}

/** The sample application, writing. */
export const application = (world: World): Promise<SampleApplication> =>
  SampleApplication.start(world, { notesFile: join(world.root, 'notes.jsonl'), rate: 60 });

/** Writes a plan, the sample's with some changes, and returns its file. */
export function planFile(world: World, changes: Readonly<Record<string, unknown>> = {}, name = 'plan.json'): string {
  const file = join(world.root, name);
  writeFileSync(file, JSON.stringify({ ...SAMPLE_PLAN, ...changes }));
  return file;
}

export interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `keyshift` as a user would. */
export async function keyshift(world: World, ...args: string[]): Promise<Ended> {
  const command = ['--import', 'tsx', 'client/main.ts', ...args];
  const ended = await runCommand(process.execPath, command, { env: world.env, timeoutMs: 120_000 }).catch(
    (error: unknown) => {
      if (error instanceof CommandError) return error;
      throw error;
    },
  );
  const { stdout, stderr } = ended;
  return { exitCode: exitCodeOf(ended), stdout, stderr };
}

function exitCodeOf(ended: CommandResult | CommandError): number {
  return ended instanceof CommandError ? (ended.exitCode ?? -1) : 0;
}

/** What the query `progress` answers; undefined while nobody answers. */
export function progressOf(world: World): Promise<Progress | undefined> {
  return queryWorkflow<Progress>(world, MIGRATION, 'progress').catch(() => undefined);
}

/** Waits until the progress is as wanted. A parked migration ends the wait with its reason. */
export function untilProgress(world: World, what: string, wanted: (progress: Progress) => boolean): Promise<Progress> {
  return eventually(
    what,
    async () => {
      const progress = await progressOf(world);
      if (!progress) return undefined;
      if (wanted(progress)) return progress;
      if (progress.status === 'failed') throw new Error(`failed: ${JSON.stringify(progress.notices)}`);
      if (progress.parked) throw new Error(`parked: ${progress.parked.type}: ${progress.parked.message}`);
      return undefined;
    },
    { timeoutMs: 300_000, everyMs: 100 },
  );
}

export const gateIsOpen = (gate: string) => (progress: Progress) => progress.gate?.name === gate;

export async function start(world: World, file: string): Promise<void> {
  const what = ['--task-queue', 'keyshift', '--type', 'migrateDatabase', '--workflow-id', MIGRATION];
  await world.temporal(['workflow', 'start', ...what, '--input-file', file]);
}

export async function signal(world: World, name: string, input: Readonly<Record<string, unknown>>): Promise<void> {
  await world.temporal([
    'workflow',
    'signal',
    '--workflow-id',
    MIGRATION,
    '--name',
    name,
    '--input',
    JSON.stringify(input),
  ]);
}

export const approve = (world: World, gate: string): Promise<void> => signal(world, 'approve', { gate, by: 'test' });
