import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { findFreePort } from '../../local/postgres/free-port';
import { until } from './stand-in';

/**
 * A second stand-in of AWS, by other hands: moto, in its server mode, from PyPI by whatever registry pip is set up for.
 * @see https://docs.getmoto.org/en/latest/docs/server_mode.html
 */
const VERSION = '5.2.5';
const CACHE = resolve(__dirname, '..', '..', '.keyshift', 'cache', 'moto');
const PATIENCE_MS = 60_000;
/** A registry that doesn't answer is as good as none. */
const FETCH_WITHIN_MS = 240_000;

/** The program, fetched if it is not there yet; why there is none, where that is so. */
export function findMoto(): { readonly program: string } | { readonly missing: string } {
  const home = join(CACHE, VERSION);
  const program = join(home, 'bin', 'moto_server');
  if (existsSync(program)) return { program };
  mkdirSync(CACHE, { recursive: true });
  const making = `${home}.${process.pid}`;
  try {
    execFileSync('python3', ['-m', 'venv', making], { stdio: 'pipe', timeout: FETCH_WITHIN_MS });
    execFileSync(join(making, 'bin', 'pip'), ['install', '-q', `moto[server]==${VERSION}`], {
      stdio: 'pipe',
      timeout: FETCH_WITHIN_MS,
    });
    // Programs in it begin with the path of the interpreter: a link stays where that path leads to.
    rmSync(home, { recursive: true, force: true });
    renameSync(making, home);
    execFileSync('sed', ['-i.bak', `1s|.*|#!${join(home, 'bin', 'python3')}|`, program], {
      stdio: 'pipe',
      timeout: FETCH_WITHIN_MS,
    });
    return { program };
  } catch (error) {
    rmSync(making, { recursive: true, force: true });
    return { missing: (error as Error).message.split('\n')[0] ?? 'unknown' };
  }
}

/** A server of moto on a free port of this machine. */
export class Moto {
  private constructor(
    private readonly child: ChildProcess,
    readonly endpoint: string,
  ) {}

  static async start(program: string): Promise<Moto> {
    const port = await findFreePort(new Set());
    const child = spawn(program, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
    const moto = new Moto(child, `http://127.0.0.1:${port}`);
    process.once('exit', () => child.kill('SIGKILL'));
    try {
      await until(
        'moto listens',
        async () => {
          if (child.exitCode !== null) throw new Error(`moto ended with ${child.exitCode}`);
          return fetch(`${moto.endpoint}/moto-api/data.json`).then(
            ({ ok }) => ok,
            () => false,
          );
        },
        PATIENCE_MS,
      );
      return moto;
    } catch (error) {
      await moto.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await ended;
  }
}
