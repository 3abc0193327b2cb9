import { createHash } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { ServerAccount } from '../postgres/unprivileged';
import { isReachable, serverAccount } from '../postgres/unprivileged';

/** A Unix socket's path ends at 103 bytes on macOS; the name of the instance and `/.s.PGSQL.65535` are added to the directory. */
const LONGEST_SOCKET_DIRECTORY = 76;

/** The checkout's own cache, ignored by git. */
const DEFAULT_CACHE = resolve(__dirname, '..', '..', '.keyshift', 'cache');

/** Where everything that the stand-in keeps lies. */
export interface Places {
  /** State, certificate authority, snapshots. Root's own when the stand-in runs as root. */
  readonly stateDir: string;
  /** Data directories and logs of the servers. */
  readonly serversDir: string;
  readonly socketDir: string;
  /** Trees of PostgreSQL programs. */
  readonly postgresDir: string;
  readonly caBundle: string;
  /** The same bundle at a path that the servers can read. */
  readonly serverCaBundle: string;
  readonly account: ServerAccount | undefined;
  /** A directory outside of the state directory, made because the servers' account can't reach the latter or because of a long path. */
  readonly outside: string | undefined;
}

/**
 * Decides where things lie. Normally all of it is below the state directory, and PostgreSQL's programs in the checkout's cache. As root the
 * servers run as `nobody`; if that account can't pass through the directories above (say, /root, or a checkout below it), what servers touch
 * goes to a directory of its own in the system's temporary directory. Its name is kept in `<state-dir>/outside.json`;
 * `removeState` takes it away together with the state.
 */
export function preparePlaces(stateDir: string, cacheDir: string = DEFAULT_CACHE): Places {
  const account = serverAccount();
  const state = resolve(stateDir);
  mkdirSync(state, { recursive: true });
  const reachable = isReachable(dirname(state), account);
  // As root the state directory may be passed through, not listed: files in it that hold secrets are root's alone.
  chmodSync(state, account ? 0o711 : 0o700);
  mkdirSync(cacheDir, { recursive: true });
  const cacheReachable = isReachable(cacheDir, account);
  const inside = join(state, 'sockets');
  const shortEnough = Buffer.byteLength(inside) <= LONGEST_SOCKET_DIRECTORY;
  const outside = reachable && shortEnough && cacheReachable ? undefined : outsideOf(state, account);
  const serversDir = reachable || !outside ? join(state, 'servers') : join(outside, 'servers');
  const socketDir = (reachable && shortEnough) || !outside ? inside : join(outside, 'sockets');
  const caBundle = join(state, 'rds-combined-ca-bundle.pem');
  for (const directory of [serversDir, socketDir]) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (account) chownSync(directory, account.uid, account.gid);
  }
  return {
    stateDir: state,
    serversDir,
    socketDir,
    postgresDir: cacheReachable || !outside ? join(cacheDir, 'postgres') : join(outside, 'postgres'),
    caBundle,
    serverCaBundle: reachable || !outside ? caBundle : join(outside, 'rds-combined-ca-bundle.pem'),
    account,
    outside,
  };
}

/** The directory outside of the state directory that a state directory uses, if any. */
export function outsideDirectoryOf(stateDir: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(join(stateDir, 'outside.json'), 'utf8')) as { directory: string }).directory;
  } catch {
    return undefined;
  }
}

function outsideOf(stateDir: string, account: ServerAccount | undefined): string {
  const known = outsideDirectoryOf(stateDir);
  if (known && existsSync(known)) return known;
  const mark = createHash('sha256').update(stateDir).digest('hex').slice(0, 8);
  const base = isReachable(tmpdir(), account) ? tmpdir() : '/tmp';
  const directory = known ?? mkdtempSync(join(base, `keyshift-${mark}-`));
  mkdirSync(directory, { recursive: true });
  chmodSync(directory, account ? 0o711 : 0o700);
  writeFileSync(join(stateDir, 'outside.json'), JSON.stringify({ directory }));
  return directory;
}

/** Removes everything of a state directory. Its servers must have been stopped. */
export function removePlaces(stateDir: string): void {
  const outside = outsideDirectoryOf(stateDir);
  if (outside) rmSync(outside, { recursive: true, force: true });
  rmSync(stateDir, { recursive: true, force: true });
}
