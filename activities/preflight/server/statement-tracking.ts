import { trackNothing } from '../../postgres/execute-with-conninfo';
import { parameterCommands } from '../remedy';
import type { ServerCheck } from '../sql-check';

const code = 'statement-tracking';

/** What to set instead, so that statements inside of a DO block are not kept. */
const QUIET: Readonly<Record<string, string>> = { 'pg_stat_statements.track': 'top', 'pgaudit.log': 'none' };

/**
 * pg_stat_statements and pgaudit keep the text of utility statements, also of those inside of a DO block: CREATE SUBSCRIPTION has the password
 * of the replication role in it. Tries whether a session of ours may turn them off; nothing of it stays.
 */
export const statementTracking: ServerCheck = {
  code,
  look: async (session, sight) => {
    const { username } = sight;
    await session.query('BEGIN');
    const left = await trackNothing(session).finally(() => session.query('ROLLBACK'));
    if (left.length === 0) {
      return [
        { code, level: 'ok', message: 'nothing keeps the text of CREATE SUBSCRIPTION, which has a password in it' },
      ];
    }
    return [
      {
        code,
        level: 'warn',
        message: `${left.join(' and ')} keep${left.length === 1 ? 's' : ''} the text of CREATE SUBSCRIPTION, and ${username} may not turn that off in a session: whoever reads it, on the target and for the way back on the source, sees the password of the replication role.`,
        remedy: parameterCommands(
          sight,
          left.map((name) => ({ name, value: QUIET[name] ?? 'none' })),
        ),
        evidence: { settings: left },
      },
    ];
  },
};
