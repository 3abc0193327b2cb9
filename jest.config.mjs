/** How SWC compiles what jest loads. */
const swc = (jsc) => [
  '@swc/jest',
  { jsc: { target: 'es2022', ...jsc }, module: { type: 'commonjs' }, sourceMaps: 'inline' },
];
/** One project per kind of test: `npm test -- --selectProjects unit` runs those that need nothing but Node. */
const common = {
  testEnvironment: 'node',
  // Data directories of running servers are no business of jest's: it would take their `.snap` files for snapshots of its own.
  roots: ['<rootDir>/test'],
  modulePathIgnorePatterns: ['<rootDir>/.keyshift/', '<rootDir>/dist/'],
  transform: {
    '^.+\\.ts$': swc({ parser: { syntax: 'typescript', decorators: true } }),
    '^.+\\.tsx$': swc({
      parser: { syntax: 'typescript', tsx: true },
      transform: { react: { runtime: 'classic', pragma: 'h', pragmaFrag: 'Fragment' } },
    }),
  },
  // ES modules, which Node can `require` and jest can't.
  moduleNameMapper: {
    '^(d3-[a-z-]+|internmap)$': '<rootDir>/node_modules/$1/dist/$1.js',
    '^preact$': '<rootDir>/test/support/preact.cjs',
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
