import { backgroundWorkers } from './neighbours/background-workers';
import { cronJobs, partitionMaintenance } from './neighbours/jobs';
import { callingOut, foreignPublications, replicationSlots, sourceSubscriptions } from './neighbours/replication';
import { otherMigrationInServer } from './neighbours/other-migrations';
import { collations } from './schema/collations';
import { fullIdentityEquality } from './schema/equal-rows';
import { generatedColumns, regColumns, sequenceRanges } from './schema/columns';
import { extensions, extensionTables } from './schema/extensions';
import { alwaysTriggers, eventTriggers, rowLevelSecurity } from './schema/firing';
import {
  foreignTables,
  largeObjects,
  materializedViews,
  unloggedReferences,
  unloggedTables,
} from './schema/left-behind';
import { fullIdentityTypes, replicaIdentity } from './schema/replica-identity';
import { searchPath } from './schema/search-path';
import { domainConstraints, invalidIndexes, tablespaces, unvalidatedConstraints } from './schema/storage';
import { ignoredRoles } from './server/ignored-roles';
import { runningDdl } from './server/running-ddl';
import { SETTINGS_CHECKS } from './server/settings';
import { statementTracking } from './server/statement-tracking';
import { slotCeiling } from './server/slot-ceiling';
import { longTransactions, preparedTransactions } from './server/transactions';
import { serverVersion } from './server/version';
import { walRate } from './server/wal-rate';
import { workerSettings } from './server/worker-settings';
import type { DatabaseCheck, ServerCheck } from './sql-check';

/** What is asked of the server as a whole. */
export const SERVER_CHECKS: readonly ServerCheck[] = [
  serverVersion,
  ...SETTINGS_CHECKS,
  slotCeiling,
  statementTracking,
  longTransactions,
  preparedTransactions,
  runningDdl,
  walRate,
  replicationSlots,
  sourceSubscriptions,
  backgroundWorkers,
  ignoredRoles,
];

/** What is asked in each database. */
export const DATABASE_CHECKS: readonly DatabaseCheck[] = [
  otherMigrationInServer,
  workerSettings,
  replicaIdentity,
  fullIdentityTypes,
  fullIdentityEquality,
  generatedColumns,
  largeObjects,
  unloggedTables,
  unloggedReferences,
  materializedViews,
  foreignTables,
  sequenceRanges,
  alwaysTriggers,
  rowLevelSecurity,
  eventTriggers,
  tablespaces,
  invalidIndexes,
  unvalidatedConstraints,
  domainConstraints,
  regColumns,
  searchPath,
  extensions,
  extensionTables,
  collations,
  foreignPublications,
  cronJobs,
  partitionMaintenance,
  callingOut,
];
