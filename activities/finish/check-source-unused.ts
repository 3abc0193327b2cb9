import { finalFailure } from '../../plan/failures';
import { foreignSessions } from '../cutover/fence';
import { awsOf, type Dependencies, instanceOf, type MigrationRef } from '../dependencies';
import { accessIfThere, queryRows, type Session, withSession } from '../postgres/session';
import { endpointOf, requireInstance } from '../rds/find-instance';
import { lookAtSwitches } from '../traffic/prepared-switches';

export interface SourceUnusedInput extends MigrationRef {
  /** Roles that the fence locked out of the source. */
  readonly fencedRoles: readonly string[];
}

/**
 * The last look before the source is given up: somebody may have gone back to it by hand since the switch. A source that
 * is gone is not in use.
 * @throws ApplicationFailure SourceInUse with what speaks against it
 */
export async function checkSourceUnused(deps: Dependencies, input: SourceUnusedInput): Promise<void> {
  const access = await accessIfThere(deps, input, 'source');
  if (!access) return;
  const found = [
    ...(await storesThatNameIt(deps, input)),
    ...(await withSession(access, { step: 'decommission', database: 'postgres', readOnly: true }, (session) =>
      usersOf(session, input),
    )),
  ];
  if (found.length === 0) return;
  throw finalFailure(
    'SourceInUse',
    `DB instance ${instanceOf(input, 'source')} looks as if it were in use: ${found.join('; ')}. It is not deleted, and replication stays. If that is a mistake, mend it and send retry.`,
    found,
  );
}

async function storesThatNameIt(deps: Dependencies, input: MigrationRef): Promise<string[]> {
  const from = endpointOf(await requireInstance(awsOf(deps, input), instanceOf(input, 'source')));
  const looks = await lookAtSwitches({ deps, ref: input, from });
  return looks.filter(({ pointsAt }) => pointsAt === 'from').map(({ what }) => `${what} names it`);
}

async function usersOf(session: Session, input: SourceUnusedInput): Promise<string[]> {
  const sessions = await foreignSessions(session, { migration: input.id, roles: input.plan.cutover.spareRoles });
  const unlocked = await queryRows<{ rolname: string }>(
    session,
    'SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname = ANY ($1::text[]) ORDER BY 1',
    [input.fencedRoles],
  );
  return [
    ...sessions.map(({ user, application }) => `${user} is connected (${application || 'unnamed'})`),
    ...unlocked.map(({ rolname }) => `role ${rolname} may log in again`),
  ];
}
