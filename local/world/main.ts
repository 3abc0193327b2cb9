/** `npm run local`: Temporal, AWS, a worker and the sample application on this machine, until Ctrl-C. */
import { Command } from 'commander';
import { rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Aws } from '../app/aws';
import { SAMPLE_PLAN } from '../app/names';
import { SampleApplication } from '../app/process';
import { createSample } from '../app/source';
import { REPOSITORY, STATE } from '../tools/paths';
import { messageOf, toStderr, type Report } from '../tools/report';
import { exportLines } from './environment';
import { orStopped, Stopped, stopRequests, untilStopped } from './until-signal';
import { startWorld, type World } from './world';

const TIME_SCALE = 0.02;

interface LocalOptions {
  /** No sample application. */
  readonly empty: boolean;
  readonly rows: number;
  readonly rate: number;
  /** The world's folder below `.keyshift/`; another one lets two worlds run at once. */
  readonly name: string;
}

function parseOptions(argv: readonly string[]): LocalOptions {
  return new Command('npm run local --')
    .description('Starts Temporal, AWS, a worker and the sample application on this machine, until Ctrl-C.')
    .option('--empty', 'no sample application: AWS is empty', false)
    .option('--rows <n>', 'rows in the sample database', Number, 20_000)
    .option('--rate <n>', 'transactions per second of the sample application', Number, 200)
    .option('--name <name>', 'folder below .keyshift/, so that two worlds can run at once', 'local')
    .allowExcessArguments(false)
    .parse([...argv])
    .opts<LocalOptions>();
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv);
  const report: Report = (line) => void process.stdout.write(`${line}\n`);
  const signal = stopRequests(report);
  let world: World | undefined;
  try {
    report('starting Temporal, AWS and a worker');
    const timeScale = Number(process.env['KEYSHIFT_LOCAL_TIME_SCALE'] ?? TIME_SCALE);
    world = await startWorld({ root: join('.keyshift', options.name), report, timeScale, signal });
    await orStopped(signal, prepare(world, options, report));
    report(instructions(world, options));
    await untilStopped(signal);
  } catch (error) {
    process.exitCode = error instanceof Stopped ? 0 : 1;
    if (!(error instanceof Stopped)) toStderr(messageOf(error));
    if (world && !(error instanceof Stopped)) toStderr(`logs: ${relative(REPOSITORY, world.logs)}/`);
  } finally {
    await world?.stop();
  }
}

/** What another shell sources. */
function environmentFile(name: string): string {
  return join(STATE, `${name}.env`);
}

async function prepare(world: World, { empty, rows, rate, name }: LocalOptions, report: Report): Promise<void> {
  writeFileSync(environmentFile(name), exportLines(world.variables, world.temporalCli));
  world.onStop('the environment file', () => rmSync(environmentFile(name), { force: true }));
  await world.startWorker();
  if (empty) return;
  const aws = new Aws(world.awsEndpoint, world.region);
  try {
    await createSample(aws, world.caBundle, { rows, report });
  } finally {
    aws.destroy();
  }
  writeFileSync(join(world.root, 'plan.json'), `${JSON.stringify(SAMPLE_PLAN, undefined, 2)}\n`);
  await SampleApplication.start(world, { notesFile: join(world.root, 'notes.jsonl'), rate });
}

function instructions(world: World, { empty, name }: LocalOptions): string {
  const folder = relative(REPOSITORY, world.root);
  const approve = (gate: string): string =>
    `temporal workflow update execute --workflow-id encrypt-app-db --name approve --input '{"gate":"${gate}","by":"'"$USER"'"}'`;
  const common = [
    '',
    `Web UI:   ${world.uiUrl}`,
    `AWS:      ${world.awsEndpoint}`,
    `Temporal: ${world.temporalAddress}`,
    `logs:     ${relative(REPOSITORY, world.logs)}/`,
    '',
    'In another shell, here:',
    '',
    `  source ${relative(REPOSITORY, environmentFile(name))}`,
  ];
  const migration = [
    `  temporal workflow start --task-queue keyshift --type migrateDatabase --workflow-id encrypt-app-db --input-file ${join(folder, 'plan.json')}`,
    '  temporal workflow query --workflow-id encrypt-app-db --type progress',
    `  ${approve('reboot-source')}`,
    `  ${approve('cutover')}`,
    `  ${approve('decommission')}`,
    '',
    `The sample application writes to app-db all the while, and notes what was acknowledged in ${join(folder, 'notes.jsonl')}.`,
  ];
  return [...common, ...(empty ? [] : migration), '', 'Ctrl-C stops and removes everything.'].join('\n');
}

void main();
