/**
 * `npm run bench:real -- <folder>`: a whole migration, through Temporal in a world of its own, of databases that are given: `<folder>/<database>/*.sql` in
 * order (plain SQL; no rows of COPY), an optional `writes.sql` in the same place that is run over and over, and an optional `<folder>/plan.json` with
 * more fields of the plan. Writes what it took into docs/performance.md. Nothing of the folder goes anywhere else.
 *
 *   --engine N     major version (16)
 *   --rollback     goes back after the cutover
 *   --print        leaves docs/performance.md as it is
 */
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Aws } from '../local/app/aws';
import { SAMPLE_PLAN } from '../local/app/names';
import { createSource } from '../local/app/source';
import { holdWorkersToThePolicy } from '../local/app/worker-policy';
import { MigrationFollower } from '../local/demo/migration';
import { type Progress, ProgressPrinter } from '../local/demo/progress';
import { type Description, type MigrationReport, TemporalCommands } from '../local/demo/temporal-commands';
import { messageOf, toStderr } from '../local/tools/report';
import { orStopped, Stopped, stopRequests } from '../local/world/until-signal';
import { startWorld, type World } from '../local/world/world';
import { writeBetweenMarkers } from './between-markers';
import { fill, type Size } from './real/fill';
import { readFolder, type RealFolder } from './real/folder';
import { peakMemoryOf } from './real/memory';
import { type Written, Writing } from './real/writing';

const PAGE = 'docs/performance.md';
const ROOT = '.keyshift/bench-real';
const WORKFLOW_ID = 'real';
const TIME_SCALE = 0.02;
const MIB = 1_048_576;

/** What an operator would have to say to nearly every real schema. */
const PLAN = {
  ...SAMPLE_PLAN,
  replicaIdentity: 'set',
  carry: { largeObjects: 'copy', unloggedTables: 'copy' },
} as const;

interface Options {
  readonly engineVersion: string;
  readonly rollback: boolean;
}

interface Figures {
  readonly size: Size;
  readonly progress: Progress;
  readonly report: MigrationReport & { readonly cutover?: { readonly pauseMs?: number } };
  readonly history: Description;
  readonly rssBytes: number | undefined;
  readonly idleRssBytes: number | undefined;
  readonly written: Written;
}

async function migrate(world: World, folder: RealFolder, options: Options, signal: AbortSignal): Promise<Figures> {
  const aws = new Aws(world.awsEndpoint, world.region);
  world.onStop('AWS clients', () => aws.destroy());
  const source = await createSource(aws, world.caBundle, { engineVersion: options.engineVersion, report: toStderr });
  toStderr(`filling ${folder.databases.length} databases`);
  const size = await fill(source, folder.databases);
  await holdWorkersToThePolicy(world, aws);
  const worker = await world.startWorker();
  const idleRssBytes = peakMemoryOf(worker.pid);
  const writing = new Writing(aws, source.server.ca, source.app, folder.databases);
  world.onStop('writers', async () => void (await writing.end()));

  const planFile = join(world.root, 'plan.json');
  const databases = folder.databases.map(({ name }) => name);
  writeFileSync(planFile, JSON.stringify({ ...PLAN, databases, ...folder.plan }));
  const commands = new TemporalCommands(world, WORKFLOW_ID, toStderr);
  const follower = new MigrationFollower(commands, new ProgressPrinter(toStderr), signal);
  await commands.start(planFile);
  let rssBytes: number | undefined;
  const reactions = {
    gateOpened: async (gate: string): Promise<boolean> => {
      // Nobody reboots what applications have just come back to.
      await (gate === 'undo-reboot' ? commands.reject(gate) : commands.approve(gate));
      return true;
    },
    looked: (): void => void (rssBytes = peakMemoryOf(worker.pid) ?? rssBytes),
  };
  await follower.until(({ gate }) => gate?.name === 'decommission', reactions);
  let progress: Progress;
  if (options.rollback) {
    await commands.rollback('the bench wants to see it');
    progress = await follower.until(({ status }) => status === 'rolled-back', reactions);
    await follower.completed();
  } else {
    await commands.approve('decommission');
    await follower.completed();
    progress = await commands.progress();
  }
  reactions.looked();
  const [history, report] = [await commands.describe(), await follower.report()];
  return { size, progress, report, history, rssBytes, idleRssBytes, written: await writing.end() };
}

const mib = (bytes: number | undefined): string => (bytes === undefined ? 'unknown' : `${Math.round(bytes / MIB)} MiB`);

function table(folder: RealFolder, options: Options, figures: Figures): string {
  const { size, progress, report, history, rssBytes, idleRssBytes, written } = figures;
  const timeline = (report.cutover?.timeline ?? []).map(({ step, ms }) => `${step} ${ms}`).join(', ');
  const rows: [string, string][] = [
    ['databases', folder.databases.map(({ name }) => name).join(', ')],
    ['tables, sequences, size', `${size.tables}, ${size.sequences}, ${mib(size.bytes)}`],
    [
      'runs of `writes.sql`',
      `${written.runs}${written.failed > 0 ? `, ${written.failed} failed${written.because ? ` (${written.because})` : ''}` : ''}`,
    ],
    ['writes stopped', `${report.cutover?.pauseMs ?? '?'} ms (${timeline})`],
    ['memory of the worker at its peak, and before the migration', `${mib(rssBytes)}, ${mib(idleRssBytes)}`],
    ['history', `${history.historyEvents} events, ${Math.round(history.historyBytes / 1000)} kB`],
    [
      'proof',
      `${report.proof?.rows ?? '?'} rows of ${report.proof?.tables ?? '?'} tables, ${report.proof?.differences?.length ?? 0} differences`,
    ],
  ];
  const steps = progress.steps.flatMap(({ name, startedAt, endedAt }) =>
    startedAt && endedAt
      ? [`| ${name} | ${((Date.parse(endedAt) - Date.parse(startedAt)) / 1000).toFixed(1)} s |`]
      : [],
  );
  const machine = `${cpus().length} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, load ${loadavg()[0]?.toFixed(1)}`;
  return [
    `${new Date().toISOString().slice(0, 10)}, \`npm run bench:real -- ${folder.name}${options.rollback ? ' --rollback' : ''}\`, PostgreSQL ${options.engineVersion}, ${machine}`,
    '',
    '| | |',
    '|---|---|',
    ...rows.map(([name, value]) => `| ${name} | ${value} |`),
    '',
    '| step | took |',
    '|---|---|',
    ...steps,
  ].join('\n');
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      engine: { type: 'string', default: '16' },
      rollback: { type: 'boolean', default: false },
      print: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  const [path] = positionals;
  if (path === undefined) throw new Error('give a folder with <database>/*.sql');
  const folder = readFolder(path);
  const options = { engineVersion: values.engine, rollback: values.rollback };
  const signal = stopRequests(toStderr);
  let world: World | undefined;
  try {
    const timeScale = Number(process.env['KEYSHIFT_LOCAL_TIME_SCALE'] ?? TIME_SCALE);
    world = await startWorld({ root: ROOT, report: toStderr, timeScale, signal });
    const text = table(folder, options, await orStopped(signal, migrate(world, folder, options, signal)));
    console.log(text);
    if (!values.print) writeBetweenMarkers(PAGE, 'bench:real', text);
  } catch (error) {
    process.exitCode = error instanceof Stopped ? 130 : 1;
    toStderr(`${messageOf(error)}${world ? `; logs: ${world.logs}` : ''}`);
  } finally {
    await world?.stop();
  }
}

void main();
