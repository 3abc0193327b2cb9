import { type BoardLine, green } from '../../plan/board';
import { fitsPattern, likePattern } from '../../plan/role-patterns';
import { type Dependencies, instanceOf, type MigrationRef, type Side } from '../dependencies';
import { accessTo, queryRows, withSession } from '../postgres/session';

/** How many roles each pattern of `ignore.roles` leaves out of comparisons now, and on which side they are. */
export async function lookAtIgnoredRoles(deps: Dependencies, ref: MigrationRef): Promise<BoardLine[]> {
  const { roles: patterns } = ref.plan.ignore;
  if (patterns.length === 0) return [];
  const [there, here] = await Promise.all([
    rolesLike(deps, ref, 'source', patterns),
    rolesLike(deps, ref, 'target', patterns),
  ]);
  return green('ignored-roles', ...patterns.map((pattern) => lineOf(ref, pattern, there, here)));
}

function lineOf(ref: MigrationRef, pattern: string, there: ReadonlySet<string>, here: ReadonlySet<string>): string {
  const roles = [...new Set([...there, ...here])].filter((role) => fitsPattern(pattern, role));
  const [source, target] = [instanceOf(ref, 'source'), instanceOf(ref, 'target')];
  const parts = [
    { count: roles.filter((role) => there.has(role) && here.has(role)).length, where: 'on both sides' },
    {
      count: roles.filter((role) => !here.has(role)).length,
      where: `on ${source} only: they can't log in to ${target} until they are issued anew there`,
    },
    { count: roles.filter((role) => !there.has(role)).length, where: `on ${target} only` },
  ].filter(({ count }) => count > 0);
  const found = parts.map(({ count, where }) => `${count} ${where}`).join('; ');
  return `ignore.roles "${pattern}" leaves out ${roles.length} role${roles.length === 1 ? '' : 's'} now${found ? `, ${found}` : ''}. The fence locks them out like others`;
}

async function rolesLike(
  deps: Dependencies,
  ref: MigrationRef,
  side: Side,
  patterns: readonly string[],
): Promise<Set<string>> {
  const access = await accessTo(deps, ref, side);
  const rows = await withSession(access, { step: 'go-no-go', database: 'postgres', readOnly: true }, (session) =>
    queryRows<{ role: string }>(session, 'SELECT rolname AS role FROM pg_roles WHERE rolname LIKE ANY ($1::text[])', [
      patterns.map(likePattern),
    ]),
  );
  return new Set(rows.map(({ role }) => role));
}
