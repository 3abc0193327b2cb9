import js from '@eslint/js';
import { builtinModules } from 'node:module';
import tseslint from 'typescript-eslint';

/** Forbids imports that run against the arrows of docs/architecture.md ("Layout"). */
const arrows = (files, allowed) => {
  const houses = ['plan', 'workflows', 'activities', 'evidence', 'worker', 'client', 'local', 'bench', 'test'];
  const forbidden = houses.filter((house) => !allowed.includes(house) && !files.startsWith(`${house}/`));
  return {
    files: [files],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: forbidden.flatMap((house) => [`../${house}/*`, `../**/${house}/*`, `../**/${house}`]),
              message: `This folder may import from: ${allowed.join(', ') || 'nothing else of ours'}.`,
            },
          ],
        },
      ],
    },
  };
};

export default tseslint.config(
  { ignores: ['node_modules', 'dist', '.keyshift', 'coverage'] },
  js.configs.recommended,
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
    },
  },
  { files: ['local/**/*.ts', 'client/**/*.ts', 'bench/**/*.ts', 'test/**/*.ts'], rules: { 'no-console': 'off' } },
  {
    files: ['**/*.mjs'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly', setTimeout: 'readonly' } },
  },
  { files: ['**/*.cjs'], languageOptions: { globals: { __dirname: 'readonly' } } },
  arrows('plan/**/*.ts', []),
  arrows('evidence/**/*.{ts,tsx}', ['plan']),
  arrows('activities/**/*.ts', ['plan', 'evidence']),
  arrows('worker/**/*.ts', ['plan', 'workflows', 'activities']),
  arrows('local/**/*.ts', []),
  {
    files: ['client/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['../**/activities/*', '../**/activities/**', '../**/worker/*', '../**/local/*', '../**/local/**'],
              message: 'client/ knows the plan and the types of workflows only.',
            },
            {
              group: ['../**/workflows/*'],
              allowTypeImports: true,
              message: 'client/ imports only types of workflows.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['workflows/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          paths: builtinModules
            .flatMap((name) => [name, `node:${name}`])
            .map((name) => ({ name, message: 'Workflow code is deterministic: no Node builtins.' })),
          patterns: [
            {
              group: ['../**/activities', '../**/activities/*', '../**/activities/**'],
              allowTypeImports: true,
              message: 'Workflows import activities as types only.',
            },
            {
              group: ['../**/worker/*', '../**/client/*', '../**/local/*', '../**/local/**'],
              message: 'workflows/ imports from plan/ only.',
            },
          ],
        },
      ],
    },
  },
);
