/** Preact is an ES module only, which Node can `require` and jest can't: compiled here, as jest compiles our own files. */
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { transformSync } = require('@swc/core');

const file = join(__dirname, '..', '..', 'node_modules', 'preact', 'dist', 'preact.mjs');
const { code } = transformSync(readFileSync(file, 'utf8'), { jsc: { target: 'es2022' }, module: { type: 'commonjs' } });
new Function('module', 'exports', code)(module, module.exports);
