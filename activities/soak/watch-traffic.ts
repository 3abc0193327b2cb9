import { Context } from '@temporalio/activity';
import { fitTexts } from '../../plan/board';
import { type Removal, type SeenOnSource, seenText } from '../../plan/report';
import { type ForeignSession, foreignSessions } from '../cutover/fence';
import { dailyCost } from '../cost/daily-cost';
import { awsOf, type Dependencies, instanceOf, type MigrationRef } from '../dependencies';
import { reportProgress } from '../heartbeat';
import { accessTo, type Session, withSession } from '../postgres/session';
import { findInstance, requireInstance } from '../rds/find-instance';
import { exportsLogs, lookAtLogGroups } from '../rds/log-groups';
import { replicasToRemove } from '../replicas/look-at-replicas';
import { throwIfCancelled } from '../wait';

/** Time between two looks. */
const LOOK_AGAIN_MS = 500;
/** Somebody on the target and nobody on the source for so long: what comes now has come. */
const QUIET_MS = 3_000;
/** So many kinds of sessions are told of: the report is kept in the workflow. */
const MAX_KINDS = 100;

/** Who is connected where after the switch. */
export interface TrafficSeen {
  /** Sessions of applications on the target, at the end of the watch. */
  readonly onTarget: number;
  /** Sessions that were still on the source at its end, as a person can find them. */
  readonly stragglers: readonly string[];
  /** Sessions that were seen on the source at any time of the watch, by kind; the most first, and 100 at most. */
  readonly seenOnSource?: readonly SeenOnSource[];
  /** How long it was watched, in milliseconds. */
  readonly watchedMs?: number;
  /** What the decommission would remove, for its gate. */
  readonly removal?: Removal;
}

/**
 * Watches the sessions of both sides for `cutover.watchSeconds`: those of applications have to arrive on the target, and none may be
 * left on the source. Ends before that when it has been so for three seconds. What goes through a pooler or a proxy is seen with the
 * pooler's address, and with the application's user and name, which poolers pass on. Then looks at what goes with the source.
 */
export async function watchTraffic(deps: Dependencies, ref: MigrationRef): Promise<TrafficSeen> {
  const options = { step: 'watch', database: 'postgres', readOnly: true };
  const [there, here] = [await accessTo(deps, ref, 'source'), await accessTo(deps, ref, 'target')];
  const seen = await withSession(there, options, (source) =>
    withSession(here, options, (target) => watch(ref, source, target)),
  );
  return { ...seen, ...(ref.direction === 'back' ? {} : { removal: await removalOf(deps, ref) }) };
}

async function watch({ id, plan: { cutover } }: MigrationRef, source: Session, target: Session): Promise<TrafficSeen> {
  const context = Context.current();
  const startedAt = Date.now();
  const endsAt = startedAt + cutover.watchSeconds * 1_000;
  const seen = new Map<string, SeenOnSource>();
  let quietSince: number | undefined;
  for (;;) {
    await throwIfCancelled();
    const [onSource, onTarget] = await Promise.all(
      [source, target].map((session) => foreignSessions(session, { migration: id, roles: cutover.spareRoles })),
    );
    noteSeen(seen, onSource ?? []);
    const stragglers = [...seen].filter(([, { left }]) => left).map(([kind]) => kind);
    const now = Date.now();
    const arrived = onTarget?.length ?? 0;
    quietSince = arrived > 0 && stragglers.length === 0 ? (quietSince ?? now) : undefined;
    const isQuiet = quietSince !== undefined && now - quietSince >= QUIET_MS;
    if (isQuiet || now >= endsAt) {
      const most = [...seen.values()].sort((one, other) => other.sessions - one.sessions).slice(0, MAX_KINDS);
      return { onTarget: arrived, stragglers: fitTexts(stragglers), seenOnSource: most, watchedMs: now - startedAt };
    }
    reportProgress(() => ({ onTarget: arrived, stragglers: fitTexts(stragglers) }));
    await context.sleep(Math.min(LOOK_AGAIN_MS, endsAt - now));
  }
}

/** Adds a look to what was seen before. */
function noteSeen(seen: Map<string, SeenOnSource>, sessions: readonly ForeignSession[]): void {
  const now = new Map<string, SeenOnSource>();
  for (const { user, application, client, database } of sessions) {
    const kind = { user, application, ...(database ? { database } : {}), ...(client ? { address: client } : {}) };
    const text = seenText(kind);
    now.set(text, { ...kind, sessions: (now.get(text)?.sessions ?? 0) + 1, left: true });
  }
  for (const [text, before] of seen) if (!now.has(text)) seen.set(text, { ...before, left: false });
  for (const [text, one] of now) {
    seen.set(text, { ...one, sessions: Math.max(one.sessions, seen.get(text)?.sessions ?? 0) });
  }
}

async function removalOf(deps: Dependencies, ref: MigrationRef): Promise<Removal> {
  const { removed, left } = await replicasToRemove(deps, ref);
  const aws = awsOf(deps, ref);
  const source = await requireInstance(aws, instanceOf(ref, 'source'));
  const names = [instanceOf(ref, 'source'), ...removed.map(({ instance }) => instance)];
  const { groups, unknown } = await lookAtLogGroups(aws, names);
  const replicas = await Promise.all(removed.map(({ instance }) => findInstance(aws, instance)));
  const costs = [source, ...replicas].flatMap((one) => (one ? [dailyCost(aws, one)] : []));
  return {
    deletionProtection: source.DeletionProtection ?? false,
    replicas: removed,
    left,
    logGroups: groups,
    costs: await Promise.all(costs),
    // Who never exported logs needs no permission to look for them.
    ...(unknown !== undefined && exportsLogs(source) ? { logGroupsUnknown: unknown } : {}),
  };
}
