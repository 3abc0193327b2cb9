import type { Check } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import { foreignSessions, planFence, superusersAmong } from '../cutover/fence';
import { type Access, escapeIdentifier, type Session } from '../postgres/session';

const code = 'fence-roles';

/** Whether the SQL fence could lock everybody out of the source that it has to. */
export async function checkFence(
  session: Session,
  access: Access,
  plan: Plan,
  databases: readonly string[],
): Promise<Check[]> {
  const { username } = access.credentials;
  const { spareRoles } = plan.cutover;
  const { unlockable, roles } = await planFence(session, access.migration, username, databases, spareRoles);
  const sessions = await foreignSessions(session, { migration: access.migration, roles: spareRoles });
  const masters = sessions.filter(({ user }) => user === username);
  const superusers = await superusersAmong(session, unlockable);
  const others = unlockable.filter((role) => !superusers.includes(role));
  const unendable = sessions.filter((one) => one.unendable);
  const checks: Check[] = [];
  if (others.length > 0) {
    checks.push({
      code,
      level: 'block',
      message: `${username} can't take LOGIN from ${others.join(', ')}, so the fence could not stop their writes.`,
      remedy: `As a role that may: ${others.map((role) => `GRANT ${escapeIdentifier(role)} TO ${escapeIdentifier(username)} WITH ADMIN OPTION;`).join(' ')} Or, if a role does not write: name it in cutover.spareRoles.`,
    });
  }
  if (superusers.length + unendable.length > 0) {
    const who = [...new Set([...superusers, ...unendable.map(({ user }) => user)])].sort();
    checks.push({
      code,
      level: 'block',
      message: `${who.join(', ')}: ${who.length === 1 ? 'a superuser' : 'superusers'} that Keyshift does not know as RDS's own. ${username} can neither take LOGIN from a superuser nor end its sessions (connected now: ${unendable.length}), so every pause would be given up.`,
      remedy: `-- if they do not write, in the plan: cutover: { spareRoles: [${who.join(', ')}] }`,
    });
  }
  if (masters.length > 0) {
    const who = masters.map(({ application, client }) => `${application || 'unnamed'} from ${client ?? 'local'}`);
    checks.push({
      code,
      level: 'warn',
      message: `Sessions of the master user ${username} that are not ours: ${who.join(', ')}. The SQL fence can't lock that role out: if they come back in the pause, it is given up.`,
      remedy: 'Give applications a role of their own.',
    });
  }
  if (checks.length > 0) return checks;
  return [
    {
      code,
      level: 'ok',
      message: `the fence will lock out: ${roles.join(', ') || 'nobody, there is no other login role'}`,
    },
  ];
}
