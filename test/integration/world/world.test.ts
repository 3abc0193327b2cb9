import { ListAliasesCommand } from '@aws-sdk/client-kms';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Aws } from '../../../local/app/aws';
import { isRunning } from '../../../local/postgres/processes';
import { REPOSITORY } from '../../../local/tools/paths';
import { silently } from '../../../local/tools/report';
import { readRegistry, stillRunning } from '../../../local/world/process-registry';
import { waitFor } from '../../../local/world/wait-for';
import { startWorld } from '../../../local/world/world';

const ROOT = '.keyshift/test-world';
const FOLDER = join(REPOSITORY, ROOT);
const REGISTRY = join(FOLDER, 'processes.json');

function listens(address: string): Promise<boolean> {
  const [host, port] = address.split(':');
  return new Promise((resolve) => {
    const socket = connect(Number(port), host);
    const answer = (yes: boolean) => (): void => {
      socket.destroy();
      resolve(yes);
    };
    socket.once('connect', answer(true)).once('error', answer(false));
  });
}

/** Starts the fixture by local/run.mjs, as `npm run local` is, and waits until it is up. */
async function up(): Promise<{ run: ChildProcess; temporal: string; pid: number; ended: Promise<number | null> }> {
  const entry = join(REPOSITORY, 'test', 'integration', 'world', 'fixtures', 'up.ts');
  const run = spawn(process.execPath, [join(REPOSITORY, 'local', 'run.mjs'), entry, ROOT], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = new Promise<number | null>((resolve) => run.once('exit', resolve));
  const line = await new Promise<string>((resolve) => createInterface({ input: run.stdout }).once('line', resolve));
  return { run, ended, ...(JSON.parse(line) as { temporal: string; pid: number }) };
}

afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

describe('a world', () => {
  it('is up when it says so, keeps its state when its parts are restarted, and leaves nothing when it stops', async () => {
    const world = await startWorld({ root: ROOT, report: silently });
    const processes = readRegistry(REGISTRY);
    try {
      expect(processes.map(({ what }) => what).sort()).toEqual(['Temporal server', 'embedded AWS']);
      await expect(startWorld({ root: ROOT, report: silently })).rejects.toThrow('runs in');

      const aws = new Aws(world.awsEndpoint, world.region);
      await expect(aws.kms.send(new ListAliasesCommand({}))).resolves.toHaveProperty('Aliases');
      await world.restartAws();
      await expect(aws.kms.send(new ListAliasesCommand({}))).resolves.toHaveProperty('Aliases');
      aws.destroy();

      await world.temporal(['workflow', 'start', '--task-queue', 'q', '--type', 't', '--workflow-id', 'kept']);
      await world.killTemporal();
      await expect(listens(world.temporalAddress)).resolves.toBe(false);
      await world.restartTemporal();
      await expect(world.temporal(['workflow', 'describe', '--workflow-id', 'kept'])).resolves.toBeDefined();
    } finally {
      await world.stop();
    }
    expect(stillRunning(processes)).toEqual([]);
    await expect(listens(world.temporalAddress)).resolves.toBe(false);
    expect(
      ['aws', 'temporal.db', 'processes.json', 'owner.json'].filter((name) => existsSync(join(FOLDER, name))),
    ).toEqual([]);
    expect(existsSync(join(FOLDER, 'logs', 'temporal.log'))).toBe(true);
  });

  it('cleans up on SIGTERM, and gives its exit code to the caller', async () => {
    const { run, ended, temporal } = await up();
    const processes = readRegistry(REGISTRY);
    expect(processes).toHaveLength(2);
    run.kill('SIGTERM');
    await expect(ended).resolves.toBe(0);
    expect(stillRunning(processes)).toEqual([]);
    await expect(listens(temporal)).resolves.toBe(false);
    expect(existsSync(join(FOLDER, 'owner.json'))).toBe(false);
  });

  it('stops by itself when the process that started it is killed', async () => {
    const { run, ended, pid } = await up();
    const processes = readRegistry(REGISTRY);
    run.kill('SIGKILL');
    await ended;
    await waitFor('the world is gone', () => !isRunning(pid) && stillRunning(processes).length === 0);
    expect(existsSync(join(FOLDER, 'owner.json'))).toBe(false);
  });

  it('finds and ends what a killed one left behind', async () => {
    const { ended, temporal, pid } = await up();
    const processes = readRegistry(REGISTRY);
    process.kill(pid, 'SIGKILL');
    await ended;
    await expect(listens(temporal)).resolves.toBe(true);
    const world = await startWorld({ root: ROOT, report: silently });
    try {
      expect(stillRunning(processes)).toEqual([]);
    } finally {
      await world.stop();
    }
  });

  it('does not touch a process that only has the same pid', () => {
    const here = { pid: process.pid, startTime: 'another', what: 'somebody else' };
    expect(stillRunning([here])).toEqual([]);
  });
});
