import { writeFileSync } from 'node:fs';
import { bundleWorkflowCode } from '@temporalio/worker';
import { BUNDLE_FILE, PAYLOAD_CONVERTER } from './create-worker';

/** Part of `npm run build`: bundles the workflow code, so that a worker starts without bundling. */
async function main(): Promise<void> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: require.resolve('../workflows'),
    payloadConverterPath: PAYLOAD_CONVERTER,
  });
  writeFileSync(BUNDLE_FILE, code);
}

void main();
