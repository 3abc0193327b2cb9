import { type BoardLine, green, red } from '../../plan/board';
import { isSqlState } from '../classify-error';
import { awsOf, type Dependencies, instanceOf, type MigrationRef } from '../dependencies';
import { type Access, type Sides, withSession } from '../postgres/session';
import { SQLSTATE } from '../postgres/sqlstates';
import { parseLogin, readSecret } from '../secrets/credentials';

type Input = MigrationRef & { readonly databases: readonly string[] };

/** What came of a login; the server's words where there was none. */
type Tried = { readonly as: 'let in' } | { readonly as: 'refused' | 'not tried'; readonly why: string };

/**
 * Logs in to the target as the applications will: with user and password of each secret that a traffic switch of the plan rewrites. They are shown to the two
 * instances only, whose addresses are RDS's word; never to the host that the secret names.
 */
export async function probeLogins(deps: Dependencies, input: Input, { source, target }: Sides): Promise<BoardLine[]> {
  const lines: BoardLine[] = [];
  for (const entry of input.plan.cutover.traffic) {
    if (entry.type !== 'secrets-manager') continue;
    const login = parseLogin(await readSecret(awsOf(deps, input), entry.secret));
    if (!login || login.username === target.credentials.username) continue;
    const database = input.databases.find((name) => name === login.database) ?? input.databases[0] ?? 'postgres';
    const onTarget = await tryLogin({ ...target, credentials: login }, database);
    const what = `login ${login.username} of secret ${entry.secret}`;
    if (onTarget.as === 'let in') lines.push(...green('passwords', `${what} works on ${instanceOf(input, 'target')}`));
    else if (onTarget.as === 'not tried')
      lines.push(...green('passwords', `${what} could not be tried: ${onTarget.why}`));
    else if ((await tryLogin({ ...source, credentials: login }, database)).as === 'let in')
      lines.push(
        ...red(
          'passwords',
          `${what} works on ${instanceOf(input, 'source')} and not on ${instanceOf(input, 'target')}: ${onTarget.why}. Set its password there: ALTER ROLE ... PASSWORD`,
        ),
      );
    else lines.push(...green('passwords', `${what} works on neither side: ${onTarget.why}`));
  }
  return lines;
}

async function tryLogin(access: Access, database: string): Promise<Tried> {
  try {
    return await withSession(access, { step: 'probe', database, readOnly: true }, () =>
      Promise.resolve({ as: 'let in' } as const),
    );
  } catch (error) {
    const refused = isSqlState(error, SQLSTATE.invalidPassword) || isSqlState(error, SQLSTATE.invalidAuthorization);
    return { as: refused ? 'refused' : 'not tried', why: error instanceof Error ? error.message : String(error) };
  }
}
