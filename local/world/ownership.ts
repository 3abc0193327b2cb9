import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readPids } from '../aws/pid-ledger';
import { outsideDirectoryOf } from '../aws/places';
import { isRunning, lookUpProcess } from '../postgres/processes';
import type { Report } from '../tools/report';
import { endProcesses, readRegistry, stillRunning } from './process-registry';

/** The folder of a world and the files in it. */
export interface WorldFiles {
  readonly root: string;
  readonly logs: string;
  readonly awsState: string;
  readonly temporalDatabase: string;
  readonly registry: string;
  readonly owner: string;
}

export function worldFiles(root: string): WorldFiles {
  return {
    root,
    logs: join(root, 'logs'),
    awsState: join(root, 'aws'),
    temporalDatabase: join(root, 'temporal.db'),
    registry: join(root, 'processes.json'),
    owner: join(root, 'owner.json'),
  };
}

/** Another process runs a world in the same folder. */
export class WorldIsRunning extends Error {
  override readonly name = 'WorldIsRunning';
  constructor(root: string, pid: number) {
    super(
      `a world runs in ${root} already (process ${pid}): stop it with Ctrl-C in its terminal, or with: kill ${pid}`,
    );
  }
}

/** Makes the folder ours; fails if its owner lives. */
export function claim({ root, owner }: WorldFiles): void {
  mkdirSync(root, { recursive: true });
  const mine = JSON.stringify({ pid: process.pid, startTime: lookUpProcess(process.pid)?.startTime ?? '' });
  for (;;) {
    try {
      writeFileSync(owner, mine, { flag: 'wx' });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = readOwner(owner);
    if (holder && isRunning(holder.pid, holder.startTime)) throw new WorldIsRunning(root, holder.pid);
    rmSync(owner, { force: true });
  }
}

export function giveUp({ owner }: WorldFiles): void {
  rmSync(owner, { force: true });
}

/** Ends what a killed run left running, and empties the folder: its logs and results are not ours. */
export async function cleanLeftovers(files: WorldFiles, report: Report): Promise<void> {
  const ended = await endLeftovers(files);
  if (ended > 0) report(`ended ${ended} processes that an earlier run left behind in ${files.root}`);
  removeWorldState(files);
  for (const name of readdirSync(files.root)) {
    if (name !== basename(files.owner)) rmSync(join(files.root, name), { recursive: true, force: true });
  }
  mkdirSync(files.logs);
}

/** Ends every process that is noted in the folder and still runs; answers how many there were. */
export async function endLeftovers(files: WorldFiles): Promise<number> {
  const processes = stillRunning(readRegistry(files.registry));
  await endProcesses(processes, 'SIGKILL');
  // Asked only now, since the stand-in may have started one until it ended. SIGQUIT is PostgreSQL's immediate shutdown.
  const servers = stillRunning(readPids(files.awsState));
  await endProcesses(servers, 'SIGQUIT');
  return processes.length + servers.length;
}

/** Removes state, not logs and results: those are what a person wants to read afterwards. */
export function removeWorldState({ awsState, temporalDatabase, registry }: WorldFiles): void {
  // Where the servers' account can't reach the state directory, servers have a directory elsewhere.
  for (const directory of [outsideDirectoryOf(awsState), awsState]) {
    if (directory) rmSync(directory, { recursive: true, force: true });
  }
  for (const suffix of ['', '-shm', '-wal', '-journal']) rmSync(`${temporalDatabase}${suffix}`, { force: true });
  rmSync(registry, { force: true });
}

function readOwner(file: string): { pid: number; startTime: string } | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { pid: number; startTime: string };
  } catch {
    return undefined;
  }
}
