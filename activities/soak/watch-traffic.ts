import type { Dependencies, MigrationRef } from '../dependencies';
import { type ForeignSession, foreignSessions } from '../cutover/fence';
import { accessTo, withSession } from '../postgres/session';

/** Who is connected where after the switch. */
export interface TrafficSeen {
  readonly onTarget: number;
  /** Sessions that still are on the source, as a person can find them. */
  readonly stragglers: readonly string[];
}

/** Looks once at the sessions of both sides. */
export async function watchTraffic(deps: Dependencies, ref: MigrationRef): Promise<TrafficSeen> {
  const look = async (side: 'source' | 'target') =>
    withSession(await accessTo(deps, ref, side), { step: 'watch', database: 'postgres', readOnly: true }, (session) =>
      foreignSessions(session, ref.id, ref.plan.cutover.spareRoles),
    );
  const [source, target] = await Promise.all([look('source'), look('target')]);
  return { onTarget: target.length, stragglers: source.map(describe) };
}

const describe = ({ user, application, client, database }: ForeignSession): string =>
  `${user}@${database ?? '?'} (${application || 'unnamed'}) from ${client ?? 'local'}`;
