import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { isRunning } from '../../../local/postgres/processes';
import { typescript } from '../../../local/world/child';
import { until } from '../../support/stand-in';

it('a server of a test ends with the test, however that ends, and leaves no folder', async () => {
  const entry = join(__dirname, '../../support/bare-server-process.ts');
  const child = spawn(process.execPath, typescript(entry), { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const line = await new Promise<string>((resolve) => createInterface({ input: child.stdout }).once('line', resolve));
  const { pid, dataDir } = JSON.parse(line) as { pid: number; dataDir: string };
  expect(isRunning(pid)).toBe(true);
  child.kill('SIGKILL');
  await ended;
  await until('the server is gone, too', () => Promise.resolve(!isRunning(pid) && !existsSync(dirname(dataDir))));
});
