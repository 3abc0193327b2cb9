import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Lets `fetch` make the executable in a folder of its own and moves it into the cache in one step, so that neither a
 * killed run nor two at once leave half a file there.
 */
export async function intoCache(folder: string, fetch: (scratch: string) => Promise<string>): Promise<string> {
  await mkdir(dirname(folder), { recursive: true });
  const scratch = await mkdtemp(join(dirname(folder), '.fetch-'));
  try {
    const fetched = await fetch(scratch);
    await chmod(fetched, 0o755);
    await mkdir(folder, { recursive: true });
    const path = join(folder, 'temporal');
    await rename(fetched, path);
    return path;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
