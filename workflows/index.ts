export { migrateDatabase } from './migrate-database';
export { preflightDatabase } from './preflight-database';
