import type { Removal } from '../../plan/report';
import { awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { type ForeignSession, foreignSessions } from '../cutover/fence';
import { accessTo, withSession } from '../postgres/session';
import { requireInstance } from '../rds/find-instance';
import { replicasToRemove } from '../replicas/look-at-replicas';

/** Who is connected where after the switch. */
export interface TrafficSeen {
  readonly onTarget: number;
  /** Sessions that still are on the source, as a person can find them. */
  readonly stragglers: readonly string[];
  /** What the decommission would remove, for its gate. */
  readonly removal?: Removal;
}

/** Looks once at the sessions of both sides, and at what goes with the source. */
export async function watchTraffic(deps: Dependencies, ref: MigrationRef): Promise<TrafficSeen> {
  const look = async (side: 'source' | 'target') =>
    withSession(await accessTo(deps, ref, side), { step: 'watch', database: 'postgres', readOnly: true }, (session) =>
      foreignSessions(session, ref.id, ref.plan.cutover.spareRoles),
    );
  const [source, target] = await Promise.all([look('source'), look('target')]);
  const { removed, left } = await replicasToRemove(deps, ref);
  const { DeletionProtection } = await requireInstance(awsOf(deps, ref), ref.plan.source.instance);
  return {
    onTarget: target.length,
    stragglers: source.map(describe),
    removal: { deletionProtection: DeletionProtection ?? false, replicas: removed, left },
  };
}

const describe = ({ user, application, client, database }: ForeignSession): string =>
  `${user}@${database ?? '?'} (${application || 'unnamed'}) from ${client ?? 'local'}`;
