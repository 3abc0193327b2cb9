import { writeFileSync } from 'node:fs';
import { bundleWorkflowCode } from '@temporalio/worker';
import { BUNDLE_FILE } from './create-worker';
import { WORKFLOW_CODE } from './workflow-code';

/** Part of `npm run build`: bundles the workflow code, so that a worker starts without bundling. */
async function main(): Promise<void> {
  const { code } = await bundleWorkflowCode(WORKFLOW_CODE);
  writeFileSync(BUNDLE_FILE, code);
}

void main();
