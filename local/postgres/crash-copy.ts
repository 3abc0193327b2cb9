import { copyFileSync, lstatSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { copyFile, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { whileFrozen } from './freeze';

/** What a crash-consistent copy took. */
export interface CrashCopyResult {
  /** How long the server stood still; 0 if it didn't run. */
  readonly frozenMs: number;
  readonly filesCopiedHot: number;
  readonly filesCopiedFrozen: number;
}

/**
 * Of no use in a copy: the pid file would make the copy look like a running server (facts.md, section 1), the others are
 * emptied by the server when it starts (`pg_basebackup` leaves them out as well).
 */
const LEFT_OUT =
  /^(postmaster\.(pid|opts)|pg_dynshmem\/.+|pg_notify\/.+|pg_subtrans\/.+|pg_stat_tmp\/.+|.*pgsql_tmp.*)$/;

/** A file as it was just before it was copied from the working server. */
interface FirstLook {
  readonly stat: BigIntStats;
  readonly lookedAtNs: bigint;
}

/** File times come from a coarse clock (up to 10 ms late); a write within the margin of our look may not show in them. */
const CLOCK_MARGIN_NS = 100_000_000n;

/**
 * Copies the data directory of a running server so that the copy is what a crash would have left at one instant (facts.md,
 * section 1): first everything while the server works, then, with the server frozen, again what changed since.
 * Without `postmasterPid` the server is taken to be stopped.
 */
export async function copyCrashConsistent(
  dataDir: string,
  target: string,
  postmasterPid: number | undefined,
): Promise<CrashCopyResult> {
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true, mode: 0o700 });
  const seen = new Map<string, FirstLook>();
  await copyHot(dataDir, target, '', seen);
  if (postmasterPid === undefined) return { frozenMs: 0, filesCopiedHot: seen.size, filesCopiedFrozen: 0 };
  const startedAt = performance.now();
  const filesCopiedFrozen = whileFrozen(postmasterPid, () => {
    const present = new Set<string>();
    const copied = copyChanged(dataDir, target, '', seen, present);
    removeVanished(target, '', present);
    return copied;
  });
  return { frozenMs: performance.now() - startedAt, filesCopiedHot: seen.size, filesCopiedFrozen };
}

async function copyHot(source: string, target: string, at: string, seen: Map<string, FirstLook>): Promise<void> {
  for (const entry of await readdir(join(source, at), { withFileTypes: true }).catch(ignoreVanished)) {
    const path = at === '' ? entry.name : `${at}/${entry.name}`;
    if (LEFT_OUT.test(path)) continue;
    if (entry.isDirectory()) {
      await mkdir(join(target, path), { recursive: true, mode: 0o700 });
      await copyHot(source, target, path, seen);
    } else if (entry.isFile()) {
      const stat = lstatSync(join(source, path), { bigint: true, throwIfNoEntry: false });
      if (!stat) continue;
      // Looked at before the copy: a write during it shows as a difference when the server is frozen.
      seen.set(path, { stat, lookedAtNs: BigInt(Date.now()) * 1_000_000n });
      await copyFile(join(source, path), join(target, path)).catch(ignoreVanished);
    }
  }
}

function copyChanged(
  source: string,
  target: string,
  at: string,
  seen: ReadonlyMap<string, FirstLook>,
  present: Set<string>,
): number {
  let copied = 0;
  for (const entry of readdirSync(join(source, at), { withFileTypes: true })) {
    const path = at === '' ? entry.name : `${at}/${entry.name}`;
    if (LEFT_OUT.test(path)) continue;
    present.add(path);
    if (entry.isDirectory()) {
      mkdirSync(join(target, path), { recursive: true, mode: 0o700 });
      copied += copyChanged(source, target, path, seen, present);
    } else if (entry.isSymbolicLink()) {
      rmSync(join(target, path), { force: true });
      symlinkSync(readlinkSync(join(source, path)), join(target, path));
    } else if (entry.isFile() && changedSince(seen.get(path), lstatSync(join(source, path), { bigint: true }))) {
      copyFileSync(join(source, path), join(target, path));
      copied += 1;
    }
  }
  return copied;
}

function changedSince(before: FirstLook | undefined, now: BigIntStats): boolean {
  if (!before) return true;
  const touchedAtNs = now.mtimeNs > now.ctimeNs ? now.mtimeNs : now.ctimeNs;
  return (
    before.stat.ino !== now.ino ||
    before.stat.size !== now.size ||
    before.stat.mtimeNs !== now.mtimeNs ||
    before.stat.ctimeNs !== now.ctimeNs ||
    // As new as our first look: it may have been written once more within the same tick.
    touchedAtNs + CLOCK_MARGIN_NS >= before.lookedAtNs
  );
}

function removeVanished(target: string, at: string, present: ReadonlySet<string>): void {
  for (const entry of readdirSync(join(target, at), { withFileTypes: true })) {
    const path = at === '' ? entry.name : `${at}/${entry.name}`;
    if (!present.has(path)) rmSync(join(target, path), { recursive: true, force: true });
    else if (entry.isDirectory()) removeVanished(target, path, present);
  }
}

function ignoreVanished(error: NodeJS.ErrnoException): never[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}
