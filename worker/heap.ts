import { setFlagsFromString } from 'node:v8';

/**
 * Reading the schema of a database with a thousand tables leaves some fifty megabytes behind, several times an hour. V8 lets the heap grow to a multiple of what is
 * in use before it looks for what isn't; that takes half of a worker's memory, and is no faster. So it may grow by a fifth. Read at each collection, so it can be set while
 * the process runs.
 * @see docs/performance.md, real databases
 */
setFlagsFromString('--heap-growing-percent=20');
