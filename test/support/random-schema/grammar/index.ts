import type { Feature } from '../draft';
import { ACCESS_FEATURES } from './access-features';
import { TYPES } from './columns';
import { CONSTRAINT_FEATURES } from './constraint-features';
import { OBJECT_FEATURES } from './object-features';
import { PARKING_FEATURES } from './parking-features';
import { PARTITION_FEATURES } from './partition-features';
import { ROUTINE_FEATURES } from './routine-features';
import { TABLE_FEATURES } from './table-features';
import { KEY_STYLES } from './tables';

export { PARKING_FEATURES };

/** Productions that a database is put together from. */
export const FEATURES: readonly Feature[] = [
  ...TABLE_FEATURES,
  ...PARTITION_FEATURES,
  ...CONSTRAINT_FEATURES,
  ...ROUTINE_FEATURES,
  ...OBJECT_FEATURES,
  ...ACCESS_FEATURES,
];

/** The names of all productions, as they are counted. */
export const ALL_FEATURES: readonly string[] = [
  ...TYPES.map(({ name }) => `type: ${name}`),
  ...KEY_STYLES.map(({ name }) => `key: ${name}`),
  ...[...FEATURES, ...PARKING_FEATURES].map(({ name }) => name),
];
