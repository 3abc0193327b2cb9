/** One project per kind of test: `npm test -- --selectProjects unit` runs those that need nothing but Node. */
const common = {
  testEnvironment: 'node',
  // Data directories of running servers are no business of jest's: it would take their `.snap` files for snapshots of its own.
  roots: ['<rootDir>/test'],
  modulePathIgnorePatterns: ['<rootDir>/.keyshift/', '<rootDir>/dist/'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript', decorators: true } }, sourceMaps: 'inline' },
    ],
  },
};
const project = (displayName, timeoutMs) => ({
  ...common,
  displayName,
  testMatch: [`<rootDir>/test/${displayName}/**/*.test.ts`],
  ...(timeoutMs ? { setupFilesAfterEnv: [`<rootDir>/test/support/timeout-${displayName}.ts`] } : {}),
});

export default {
  maxWorkers: 2,
  projects: [project('unit'), project('replay'), project('integration', 1), project('e2e', 1)],
};
