import type { FenceEntry } from '../../../plan/plan';
import type { FenceKind, FenceKinds } from './fence';
import { hook } from './hook';
import { pgbouncer } from './pgbouncer/fence';
import { rdsProxy } from './rds-proxy';
import { securityGroup } from './security-group';

const KINDS: FenceKinds = {
  pgbouncer,
  'security-group': securityGroup,
  'rds-proxy': rdsProxy,
  hook,
};

/** The kind of an entry of `cutover.fence`. The SQL fence has none: the pause makes it itself; nor has the last lock: it comes after the proof. */
export const kindOf = (entry: FenceEntry): FenceKind | undefined =>
  entry.type === 'sql' || entry.type === 'stop-instance' ? undefined : KINDS[entry.type];
