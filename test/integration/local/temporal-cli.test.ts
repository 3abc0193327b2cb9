import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { runCommand } from '../../../local/tools/run-command';
import { silently } from '../../../local/tools/report';
import { findTemporalCli, temporalCliSources } from '../../../local/tools/temporal-cli';
import { fromCache, fromPath, fromVariable } from '../../../local/tools/temporal/installed';
import { fromOfficialDownload } from '../../../local/tools/temporal/official-download';

describe('the Temporal CLI on this machine', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keyshift-cli-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const fake = async (name: string, version: string): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, `#!/bin/sh\necho "temporal version ${version} (Server 1, UI 2)"\n`);
    await chmod(path, 0o755);
    return path;
  };

  it('is found by the sources as they are, and runs', async () => {
    const cli = await findTemporalCli({ report: silently });
    await expect(runCommand(cli.path, ['--version'])).resolves.toMatchObject({
      stdout: expect.stringContaining(cli.version) as string,
    });
    await expect(findTemporalCli({ report: silently })).resolves.toMatchObject({ path: cli.path });
  });

  it('is what KEYSHIFT_TEMPORAL_CLI says before what PATH says; one on PATH that is too old is passed over', async () => {
    const old = await fake('temporal', '1.1.0');
    const named = await fake('named', '1.7.0');
    const env = { PATH: ['/nowhere', folder].join(delimiter), KEYSHIFT_TEMPORAL_CLI: named };
    const both = [fromVariable(env), fromPath(env)];
    await expect(findTemporalCli({ sources: both, report: silently })).resolves.toMatchObject({ path: named });
    await expect(findTemporalCli({ sources: [fromPath(env)], report: silently })).rejects.toThrow(`${old} is 1.1.0`);
  });

  it('leaves nothing half-made in the cache when the download fails', async () => {
    const cache = join(folder, 'cache', '1.2.3');
    const sources = [fromCache(cache), fromOfficialDownload(cache, 'http://127.0.0.1:9')];
    await expect(findTemporalCli({ sources, report: silently })).rejects.toThrow("can't be reached");
    await expect(readdir(join(folder, 'cache'))).resolves.toEqual([]);
  });

  it('knows a cache by its version', () => {
    expect(temporalCliSources(folder)[2]?.remedy).toContain(folder);
  });
});
