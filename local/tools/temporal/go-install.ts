import { join } from 'node:path';
import { CACHE } from '../paths';
import { runCommand } from '../run-command';
import type { TemporalCliSource } from '../temporal-cli';
import { TEMPORAL_CLI_GO_VERSION } from '../versions';
import { intoCache } from './into-cache';

/** A server, its web UI and all their modules are compiled: minutes. */
const BUILD_MS = 20 * 60_000;

/** Builds it from source; the last resort, since it takes minutes. */
export function fromGoInstall(folder: string): TemporalCliSource {
  const module = `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_CLI_GO_VERSION}`;
  return {
    name: 'go install',
    remedy: 'install Go (https://go.dev/dl/), and let it reach a module proxy',
    find: (report) =>
      intoCache(folder, async (scratch) => {
        await runCommand('go', ['version'], { env: goEnvironment(scratch), timeoutMs: 20_000 });
        report(`Temporal CLI ${TEMPORAL_CLI_GO_VERSION}: go install ${module} (takes minutes)`);
        await runCommand('go', ['install', module], {
          env: goEnvironment(scratch),
          timeoutMs: BUILD_MS,
          onLine: (line) => report(`  ${line.trim()}`),
        });
        return join(scratch, 'temporal');
      }),
  };
}

/** Go wants a HOME for its caches, or to be told where they are. */
function goEnvironment(bin: string): NodeJS.ProcessEnv {
  const caches = process.env['HOME'] ? {} : { GOPATH: join(CACHE, 'go'), GOCACHE: join(CACHE, 'go-build') };
  return { ...caches, ...process.env, GOBIN: bin };
}
