import { type BoardLine, green, red } from '../../plan/board';
import { type Dependencies, instanceOf, type MigrationRef } from '../dependencies';
import { type Endpoint, type Sides, withSession } from '../postgres/session';
import { counted, named } from '../preflight/findings';
import {
  copyPasswordsSql,
  differingPasswords,
  readLoginRoles,
  readPasswordDigests,
} from '../settings/password-digests';
import { probeLogins } from './probe-logins';

/**
 * Replication carries no password. Whoever changed one on the source since the snapshot can't log in to the target. The verifiers are compared where the master user may
 * read them, and logins that the plan names are tried.
 */
export async function lookAtPasswords(
  deps: Dependencies,
  input: MigrationRef & { readonly databases: readonly string[] },
  sides: Sides,
): Promise<BoardLine[]> {
  return [...(await compareVerifiers(input, sides)), ...(await probeLogins(deps, input, sides))];
}

async function compareVerifiers(ref: MigrationRef, { source, target }: Sides): Promise<BoardLine[]> {
  const options = { step: 'go-no-go', database: 'postgres', readOnly: true };
  const there = await withSession(source, options, async (session) => ({
    roles: await readLoginRoles(session, ref.id),
    digests: await readPasswordDigests(session, ref.id),
  }));
  if (there.roles.length === 0) return [];
  const here = await withSession(target, options, (session) => readPasswordDigests(session, ref.id));
  if (!there.digests || !here) return green('passwords', unknownText(there.roles, target.endpoint));
  const differing = differingPasswords(there.digests, here);
  if (differing.length === 0)
    return green('passwords', `passwords of ${counted(there.digests.size, 'role')} are the same on both sides`);
  return red(
    'passwords',
    `the password of ${named(differing)} was set on one side since the snapshot. Run this on ${instanceOf(ref, 'source')}, and what it answers on ${instanceOf(ref, 'target')}:\n${copyPasswordsSql(differing.slice(0, MOST_NAMED))}`,
  );
}

/** So many roles are in one statement: a line of the board has an end. */
const MOST_NAMED = 10;

const unknownText = (roles: readonly string[], { address, port }: Endpoint): string =>
  `whether the passwords of ${named(roles)} were changed since the snapshot can't be known, since the master user may not read them: try the login of your applications on ${address}:${port}. A password that was changed on the source is set there by ALTER ROLE ... PASSWORD`;
