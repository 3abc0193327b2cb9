import type { Check } from '../../plan/checks';
import { type Capacity, isShort, limitsFor, raisedBy, readCapacity, roomy } from '../postgres/capacity';
import { keepsGroup, parameterGroupName } from '../rds/prepare-parameters';
import { counted } from './findings';
import { parameterCommands } from './remedy';
import { readSettings } from './server/settings';
import { groupOf, type ServerCheck, type Sight } from './sql-check';

const code = 'source-capacity';

export type CapacitySight = Pick<Sight, 'migration' | 'plan' | 'parameterGroup' | 'databases'>;

/** @param keeps the source keeps its parameter group: nothing is raised but by its owner */
export function checkCapacity(found: Capacity, sight: CapacitySight, keeps: boolean): Check {
  const { migration, databases } = sight;
  const limits = limitsFor(found, databases.length);
  const raised = keeps ? [] : raisedBy(limits, found.standbys);
  const short = limits.filter((limit) => isShort(limit) && !raised.includes(limit));
  const needed = counted(databases.length, 'database');
  const evidence = { ...found, raised: raised.map((limit) => `${limit.name} = ${roomy(limit)}`) };
  if (short.length === 0) {
    const sets = `, with what parameter group ${parameterGroupName(migration)} sets: ${evidence.raised.join(', ')}`;
    return {
      code,
      level: 'ok',
      message: `slots, WAL senders and workers for ${needed} are free${raised.length > 0 ? sets : ''}`,
      evidence,
    };
  }
  const onStandbys = found.standbys && short.some((limit) => limit.onStandbys);
  const why = onStandbys
    ? ' A read replica that allows less than the source stops, so Keyshift does not raise that.'
    : '';
  return {
    code,
    level: 'block',
    message: `The source lacks slots, WAL senders or workers for ${needed}: ${short.map(({ name, is, used }) => `${name} is ${is}, ${used} used`).join('; ')}.${why}`,
    remedy: [
      ...(onStandbys ? ['# the same in the group of each read replica first, and reboot it before the source:'] : []),
      parameterCommands(
        sight,
        short.map((limit) => ({ name: limit.name, value: roomy(limit), applies: 'pending-reboot' })),
      ),
      '-- then reboot; or drop slots that nobody reads: SELECT * FROM pg_replication_slots WHERE NOT active;',
    ].join('\n'),
    evidence,
  };
}

export const capacity: ServerCheck = {
  code,
  look: async (session, sight) => {
    const { walLevel, walKeepMiB } = await readSettings(session);
    const keeps = keepsGroup(groupOf(sight), { walLevel, ceiling: walKeepMiB !== -1 });
    return [checkCapacity(await readCapacity(session), sight, keeps)];
  },
};
