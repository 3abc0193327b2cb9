import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { bundleWorkflowCode, type Logger } from '@temporalio/worker';
import { WORKFLOW_CODE } from './workflow-code';

const ROOT = path.resolve(__dirname, '..');
/** What workflow code is made of, or may import. */
const FOLDERS = ['workflows', 'plan', 'activities'];
const FILES = ['package-lock.json', 'worker/workflow-code.ts'];

/**
 * The bundle of a checkout's workflow code, made once for each state of its sources: a worker starts in a second instead of ten.
 * @returns the path of the bundle, below `.keyshift/cache`
 */
export async function bundleOfCheckout(logger?: Logger): Promise<string> {
  const folder = path.join(ROOT, '.keyshift', 'cache', 'workflow-bundle');
  const file = path.join(folder, `${hashOfSources()}.js`);
  if (existsSync(file)) return file;
  const { code } = await bundleWorkflowCode({ ...WORKFLOW_CODE, ...(logger ? { logger } : {}) });
  mkdirSync(folder, { recursive: true });
  // Whole or not at all: others may look for it at the same time.
  const temporary = `${file}.${randomUUID()}`;
  writeFileSync(temporary, code);
  renameSync(temporary, file);
  return file;
}

function hashOfSources(): string {
  const hash = createHash('sha256');
  const sources = FOLDERS.flatMap((folder) =>
    readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => path.join(folder, name)),
  );
  for (const name of [...sources.sort(), ...FILES]) hash.update(name).update(readFileSync(path.join(ROOT, name)));
  return hash.digest('hex').slice(0, 32);
}
