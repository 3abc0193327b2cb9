import { finalFailure } from '../../../plan/failures';
import type { FenceEntry } from '../../../plan/plan';
import type { FenceKind, FenceKinds } from './fence';
import { hook } from './hook';
import { pgbouncer } from './pgbouncer/fence';
import { rdsProxy } from './rds-proxy';
import { securityGroup } from './security-group';

const notYet = (type: string): FenceKind<never> => {
  const refuse = () => Promise.reject(finalFailure('InvalidPlan', `cutover.fence: ${type} is not in this version`));
  return { look: refuse, open: refuse };
};

const KINDS: FenceKinds = {
  pgbouncer,
  'security-group': securityGroup,
  'rds-proxy': rdsProxy,
  hook,
  'stop-instance': notYet('stop-instance'),
};

/** The kind of an entry of `cutover.fence`; the SQL fence has none: the pause makes it itself. */
export const kindOf = (entry: FenceEntry): FenceKind | undefined =>
  entry.type === 'sql' ? undefined : KINDS[entry.type];
