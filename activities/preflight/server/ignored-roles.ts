import type { Check } from '../../../plan/checks';
import { fitsPattern, likePattern } from '../../../plan/role-patterns';
import { queryRows } from '../../postgres/session';
import { counted, evidenceOf, named } from '../findings';
import type { ServerCheck } from '../sql-check';

const code = 'ignored-roles';

/** A role that a pattern of the plan leaves out. */
export interface IgnoredRole {
  readonly role: string;
  /** It owns something, in whatever database. */
  readonly owns: boolean;
}

export function judgeIgnoredRoles(
  patterns: readonly string[],
  masterUser: string,
  roles: readonly IgnoredRole[],
): Check {
  if (patterns.length === 0) return { code, level: 'ok', message: 'the plan ignores no roles' };
  const wide = patterns.filter((pattern) => fitsPattern(pattern, masterUser));
  if (wide.length > 0) {
    return {
      code,
      level: 'block',
      message: `ignore.roles ${wide.map((pattern) => `"${pattern}"`).join(', ')} would leave out the master user ${masterUser}.`,
      remedy: 'In the plan: narrower patterns in ignore.roles.',
    };
  }
  const evidence = evidenceOf(roles.map(({ role }) => role));
  const owners = roles.filter(({ owns }) => owns).map(({ role }) => role);
  if (owners.length > 0) {
    return {
      code,
      level: 'warn',
      message: `${counted(owners.length, 'role')} that the plan ignores own objects: ${named(owners)}. Who owns what is compared all the same, and the target lacks roles that come after the snapshot.`,
      remedy: 'In the plan: narrower patterns in ignore.roles; or let such roles own nothing.',
      evidence,
    };
  }
  const lines = patterns.map(
    (pattern) => `"${pattern}" ${counted(roles.filter(({ role }) => fitsPattern(pattern, role)).length, 'role')}`,
  );
  return { code, level: 'ok', message: `ignore.roles leaves out now: ${lines.join(', ')}`, evidence };
}

/** Roles that come and go are left out of comparisons where the plan says so: only such roles. */
export const ignoredRoles: ServerCheck = {
  code,
  async look(session, { plan, username }) {
    const { roles: patterns } = plan.ignore;
    const roles = await queryRows<IgnoredRole>(
      session,
      `SELECT rolname AS role, EXISTS (SELECT FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid AND d.deptype = 'o') AS owns
         FROM pg_roles r WHERE rolname LIKE ANY ($1::text[]) ORDER BY 1`,
      [patterns.map(likePattern)],
    );
    return [judgeIgnoredRoles(patterns, username, roles)];
  },
};
