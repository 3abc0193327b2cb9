/**
 * Runs a TypeScript entry of this repository, or jest, and sets up what that needs first:
 *
 *   node local/run.mjs <entry.ts> [args...]
 *   node local/run.mjs --jest [args...]
 *
 * Plain Node without dependencies, since it is what installs them. Everything it says goes to stderr.
 */
import { spawn } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const say = (line) => process.stderr.write(`${line}\n`);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function checkNode() {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const wanted = engines.node
    .replace(/[^0-9.]/g, '')
    .split('.')
    .map(Number);
  const have = process.versions.node.split('.').map(Number);
  const older = have[0] < wanted[0] || (have[0] === wanted[0] && have[1] < (wanted[1] ?? 0));
  if (!older) return;
  say(`Keyshift needs Node ${engines.node}; this is ${process.version}. Get a current one from https://nodejs.org/.`);
  process.exit(1);
}

/** The packages of a lock file by their folder; the project itself is not one. */
function packagesOf(file) {
  const { packages } = JSON.parse(readFileSync(file, 'utf8'));
  return Object.entries(packages).filter(([folder]) => folder !== '');
}

/** Why node_modules is not what package-lock.json says, or undefined. npm writes its own account of the tree last. */
function whyInstall() {
  const account = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(account)) return 'dependencies are not installed';
  const installed = new Map(packagesOf(account));
  for (const [folder, wanted] of packagesOf(join(root, 'package-lock.json'))) {
    const found = installed.get(folder);
    if (!found && !wanted.optional && !wanted.peer) return `${folder} is missing`;
    if (found && (found.version !== wanted.version || found.integrity !== wanted.integrity)) {
      return `${folder} is ${found.version}, wanted ${wanted.version}`;
    }
  }
  return undefined;
}

/** npm keeps its cache under HOME. Where there is none yet, or no HOME that can be written to, it goes to ours: nothing is left outside. */
function npmEnvironment() {
  const env = { ...process.env };
  try {
    if (!env.HOME) throw new Error('no HOME');
    accessSync(join(env.HOME, '.npm'), constants.W_OK);
  } catch {
    env.npm_config_cache ??= join(root, '.keyshift', 'cache', 'npm');
  }
  return env;
}

/** One installation at a time: a second one would delete the first one's files under its hands. */
async function withInstallLock(work) {
  const lock = join(root, '.keyshift', 'npm-ci.pid');
  const mine = `${lock}.${process.pid}`;
  mkdirSync(dirname(lock), { recursive: true });
  writeFileSync(mine, String(process.pid));
  try {
    for (let told = false; !takeLock(mine, lock); told = true) {
      const holder = readHolder(lock);
      if (holder === undefined || removeStale(lock, holder)) continue;
      if (!told) say(`waiting for the installation that process ${holder} is making`);
      await pause(500);
    }
    try {
      return await work();
    } finally {
      rmSync(lock, { force: true });
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

/** A link comes with its contents: nobody ever reads a lock that its holder has not yet written into. */
function takeLock(mine, lock) {
  try {
    linkSync(mine, lock);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Takes away the lock of a dead process. Whoever else saw it dead may have taken the lock meanwhile: that one is put back. */
function removeStale(lock, holder) {
  if (isAlive(Number(holder))) return false;
  const aside = `${lock}.stale.${process.pid}`;
  try {
    renameSync(lock, aside);
    if (readHolder(aside) !== holder) linkSync(aside, lock);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
  return true;
}

function readHolder(lock) {
  try {
    return readFileSync(lock, 'utf8');
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** `npm ci`, with a line every few seconds that says how far it is: npm itself is silent without a terminal. */
async function install(reason) {
  const folders = packagesOf(join(root, 'package-lock.json'))
    .filter(([, entry]) => !entry.optional)
    .map(([folder]) => folder);
  say(`setting up: ${reason}; running npm ci (${folders.length} packages)`);
  const begin = Date.now();
  const seconds = () => ((Date.now() - begin) / 1000).toFixed(0);
  const ticker = setInterval(() => {
    const there = folders.filter((folder) => existsSync(join(root, folder, 'package.json'))).length;
    say(`  npm ci: ${there} of ${folders.length} packages, ${seconds()} s`);
  }, 3000);
  const [command, ...args] = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const env = npmEnvironment();
  env.PATH = [dirname(process.execPath), env.PATH ?? ''].join(delimiter);
  const child = spawn(command, [...args, 'ci', '--no-progress'], { cwd: root, env, stdio: ['ignore', 2, 2] });
  const forward = (signal) => child.kill(signal);
  process.on('SIGINT', forward).on('SIGTERM', forward);
  const code = await new Promise((done) => {
    child.once('error', (error) => {
      say(`npm could not be started: ${error.message}`);
      done(1);
    });
    child.once('exit', (exitCode) => done(exitCode ?? 1));
  });
  clearInterval(ticker);
  process.off('SIGINT', forward).off('SIGTERM', forward);
  if (code !== 0) {
    say(`npm ci ended with ${code}. Nothing was run. Its message is above; try it by hand in ${root}.`);
    return code;
  }
  say(`setting up: dependencies are installed (${seconds()} s)`);
  return 0;
}

function commandLine([first, ...rest]) {
  if (first === '--jest') {
    const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
    return [jest, '--config', join(root, 'jest.config.mjs'), ...rest];
  }
  return ['--import', import.meta.resolve('tsx'), resolve(root, first), ...rest];
}

/** Runs it in the caller's folder, hands on signals, and ends as it ends. */
function run(args) {
  const child = spawn(process.execPath, commandLine(args), {
    stdio: 'inherit',
    env: {
      ...process.env,
      TSX_TSCONFIG_PATH: join(root, 'tsconfig.json'),
      // It would come with every process that is started, and there is nothing to do about it here.
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      // By this the child notices that we were killed: its parent is another process then.
      KEYSHIFT_RUN_PID: String(process.pid),
    },
  });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const forward = (signal) => child.kill(signal);
  for (const signal of signals) process.on(signal, forward);
  if (process.env.npm_lifecycle_event) whenOrphaned(() => forward('SIGTERM'));
  child.once('error', (error) => {
    say(`could not start Node: ${error.message}`);
    process.exit(1);
  });
  child.once('exit', (code, signal) => {
    for (const name of signals) process.off(name, forward);
    if (signal) process.kill(process.pid, signal);
    else process.exit(code);
  });
}

/** `npm run` puts a shell between itself and us; a SIGTERM to npm ends that shell, and nobody tells us. */
function whenOrphaned(act) {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    act();
  }, 500);
  watch.unref();
}

async function main() {
  const args = process.argv.slice(2);
  if (args.length === 0) {
    say('usage: node local/run.mjs <entry.ts> [args...] | --jest [args...]');
    process.exit(2);
  }
  checkNode();
  if (whyInstall()) {
    const code = await withInstallLock(async () => {
      const reason = whyInstall();
      return reason ? install(reason) : 0;
    });
    if (code !== 0) process.exit(code);
  }
  run(args);
}

await main();
