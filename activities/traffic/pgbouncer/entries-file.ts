import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, chmod, chown, open, readdir, readFile, realpath, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ApplicationFailure } from '@temporalio/common';
import { SWITCH_UNCONFIRMED } from '../traffic-switch';

/** A file as it was read. */
export interface EntriesFile {
  /** Without symbolic links: what is replaced is the file, not the link. */
  readonly path: string;
  readonly text: string;
}

/** @throws Error of Node's when it can't be read */
export async function readEntriesFile(name: string): Promise<EntriesFile> {
  const path = await realpath(name);
  return { path, text: await readFile(path, 'utf8') };
}

/** Why this process could not put another file in the place of this one and leave its owner what it is; undefined: it could. */
export async function whyNotReplaceable(path: string): Promise<string | undefined> {
  const folder = dirname(path);
  try {
    await access(folder, constants.W_OK | constants.X_OK);
  } catch {
    return `the worker may not write in ${folder}`;
  }
  const { uid } = await stat(path);
  const own = process.geteuid?.() ?? uid;
  if (own !== 0 && own !== uid) return `it belongs to user ${uid}, and the worker, user ${own}, could not leave it so`;
  return undefined;
}

const besideName = (path: string): string => `.${basename(path)}.keyshift-`;

/** Removes what a process left that was killed while it replaced the file. */
export async function removeLeftovers(path: string): Promise<void> {
  const folder = dirname(path);
  const left = (await readdir(folder)).filter((name) => name.startsWith(besideName(path)));
  for (const name of left) await unlink(join(folder, name)).catch(() => undefined);
}

/**
 * Puts a text in the place of a file's: whoever reads it sees the old one or the new one, also after a crash. Owner and mode stay what
 * they are. When it throws anything but SWITCH_UNCONFIRMED, the file is as it was.
 * @param before what the file has to hold, looked at in the last moment; absent: whatever it holds
 * @returns `changed` when it holds something else: nothing was done
 */
export async function replaceText(path: string, text: string, before?: string): Promise<'replaced' | 'changed'> {
  const { uid, gid, mode } = await stat(path);
  const beside = join(dirname(path), `${besideName(path)}${randomUUID()}`);
  try {
    const file = await open(beside, 'wx', 0o600);
    try {
      await file.writeFile(text);
      const made = await file.stat();
      if (made.uid !== uid || made.gid !== gid) await chown(beside, uid, gid);
      await chmod(beside, mode & 0o7777);
      await file.sync();
    } finally {
      await file.close();
    }
    if (before !== undefined && (await readFile(path, 'utf8')) !== before) {
      await unlink(beside);
      return 'changed';
    }
    await renameInto(path, beside, text);
  } catch (error) {
    await unlink(beside).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
  return 'replaced';
}

/** Error codes of `rename` that say that nothing was done; others, of a file system of the network for example, leave that open. */
const NOT_RENAMED = ['EACCES', 'EBUSY', 'EDQUOT', 'EISDIR', 'ENOENT', 'ENOSPC', 'ENOTDIR', 'EPERM', 'EROFS', 'EXDEV'];

/**
 * Where the error leaves open what was done, the file tells, if it names the new server.
 * @throws ApplicationFailure SWITCH_UNCONFIRMED when nobody knows
 */
async function renameInto(path: string, beside: string, text: string): Promise<void> {
  try {
    await rename(beside, path);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (NOT_RENAMED.includes(code)) throw error;
    if ((await readFile(path, 'utf8').catch(() => undefined)) === text) return;
    throw ApplicationFailure.retryable(`nobody knows whether ${path} was replaced: ${message}`, SWITCH_UNCONFIRMED);
  }
}

/** So that the new name is there after a crash of the machine. Not every file system can; the file is replaced in any case. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}
