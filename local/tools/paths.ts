import { resolve } from 'node:path';

/** The root of this repository, wherever it was started from. */
export const REPOSITORY = resolve(__dirname, '..', '..');

/** Everything that is started or fetched lives below this folder; git ignores it. */
export const STATE = resolve(REPOSITORY, '.keyshift');

/** What was fetched; survives runs. */
export const CACHE = resolve(STATE, 'cache');
