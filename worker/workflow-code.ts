/** The workflow code and what is bundled with it: the same for a worker, the bundle of `npm run build`, and the tests. */
export const WORKFLOW_CODE = {
  workflowsPath: require.resolve('../workflows'),
  workflowInterceptorModules: [require.resolve('../workflows/lenient-messages')],
};
