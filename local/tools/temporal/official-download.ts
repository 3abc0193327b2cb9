import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Report } from '../report';
import { messageOf } from '../report';
import { runCommand } from '../run-command';
import type { TemporalCliSource } from '../temporal-cli';
import { TEMPORAL_CLI_VERSION } from '../versions';
import { intoCache } from './into-cache';

/** Without an answer in this time there is no way to the internet; the next source is tried. */
const ANSWER_MS = 8_000;
/** A download in which nothing arrives for this time is given up. */
const STALL_MS = 30_000;

/** The download that `@temporalio/testing` makes: first where the archive is, then the archive. */
export function fromOfficialDownload(folder: string, site = 'https://temporal.download'): TemporalCliSource {
  return {
    name: 'official download',
    remedy: `let this machine reach ${site}`,
    find: (report) =>
      intoCache(folder, async (scratch) => {
        const { archiveUrl, fileToExtract } = await askForArchive(site);
        const archive = join(scratch, 'temporal.tar.gz');
        report(`Temporal CLI ${TEMPORAL_CLI_VERSION}: downloading ${archiveUrl}`);
        await download(archiveUrl, archive, report);
        await runCommand('tar', ['-xzf', archive, '-C', scratch, fileToExtract]);
        return join(scratch, fileToExtract);
      }),
  };
}

async function askForArchive(site: string): Promise<{ archiveUrl: string; fileToExtract: string }> {
  const query = new URLSearchParams({
    arch: process.arch === 'arm64' ? 'arm64' : 'amd64',
    platform: process.platform === 'darwin' ? 'darwin' : 'linux',
    format: 'tar.gz',
  });
  const url = `${site}/cli/v${TEMPORAL_CLI_VERSION}?${query.toString()}`;
  const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) }).catch((error: unknown) => {
    throw new Error(`${site} can't be reached (${causeOf(error)})`);
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const info = (await response.json()) as { archiveUrl?: unknown; fileToExtract?: unknown };
  if (typeof info.archiveUrl !== 'string' || typeof info.fileToExtract !== 'string') {
    throw new Error(`${url} answered without archiveUrl and fileToExtract`);
  }
  return { archiveUrl: info.archiveUrl, fileToExtract: info.fileToExtract };
}

async function download(url: string, file: string, report: Report): Promise<void> {
  const stalled = new AbortController();
  const restart = (): NodeJS.Timeout =>
    setTimeout(() => stalled.abort(new Error('nothing arrived for 30 s')), STALL_MS);
  let watchdog = restart();
  try {
    const response = await fetch(url, { signal: stalled.signal });
    if (!response.ok || !response.body) throw new Error(`${url} answered ${response.status}`);
    const total = Number(response.headers.get('content-length') ?? 0);
    let received = 0;
    let told = 0;
    const body = Readable.fromWeb(response.body);
    body.on('data', (chunk: Buffer) => {
      clearTimeout(watchdog);
      watchdog = restart();
      received += chunk.length;
      const tenths = total > 0 ? Math.floor((10 * received) / total) : Math.floor(received / 10_000_000);
      if (tenths > told) report(`  ${(received / 1e6).toFixed(0)}${total ? ` of ${(total / 1e6).toFixed(0)}` : ''} MB`);
      told = tenths;
    });
    await pipeline(body, createWriteStream(file), { signal: stalled.signal });
  } finally {
    clearTimeout(watchdog);
  }
}

/** fetch hides the reason in `cause`. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return messageOf(cause ?? error);
}
