import type { TrafficSwitch } from '../../plan/plan';
import { manual } from './manual';
import { pgbouncer } from './pgbouncer';
import { rdsProxy } from './rds-proxy';
import { rdsRename } from './rds-rename';
import { route53 } from './route53';
import { secretsManager } from './secrets-manager';
import { ssmParameter } from './ssm-parameter';
import { webhook } from './webhook';
import type { SwitchKind, SwitchKinds } from './traffic-switch';

const KINDS: SwitchKinds = {
  'ssm-parameter': ssmParameter,
  'secrets-manager': secretsManager,
  route53,
  'rds-rename': rdsRename,
  pgbouncer,
  'rds-proxy': rdsProxy,
  webhook,
  manual,
};

/** The kind of an entry of `cutover.traffic`. */
export const kindOf = ({ type }: TrafficSwitch): SwitchKind => KINDS[type];
