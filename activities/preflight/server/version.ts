import type { Check } from '../../../plan/checks';
import { queryOne } from '../../postgres/session';
import type { ServerCheck } from '../sql-check';

/** A bug of minor releases that a migration by logical replication would meet. */
interface KnownBug {
  /** First minor release of each major that has the fix; majors that never had the bug are left out. */
  readonly fixedIn: Readonly<Record<number, number>>;
  readonly what: string;
}

/**
 * @see https://www.postgresql.org/docs/release/ and the thread of bug 18938 ("invalid memory alloc request size" after
 * the upgrade to 17.5) on pgsql-bugs
 */
const KNOWN_BUGS: readonly KnownBug[] = [
  {
    fixedIn: { 14: 4 },
    what: 'CREATE INDEX CONCURRENTLY and REINDEX CONCURRENTLY can leave out rows, so that the index lacks them in silence',
  },
  {
    fixedIn: { 13: 21, 14: 18, 15: 13, 16: 9, 17: 5 },
    what: 'logical decoding can use a stale catalog after DDL that takes no strong lock (such as ALTER PUBLICATION or ALTER TYPE), and lose changes in silence',
  },
  {
    fixedIn: { 13: 22, 14: 19, 15: 14, 16: 10, 17: 6 },
    what: 'much DDL besides open transactions can end logical decoding with "invalid memory alloc request size"',
  },
];

/** What is known against a release, and the minor that has all of the fixes. */
export function bugsOf(version: number): { bugs: string[]; goodMinor: number } {
  const [major, minor] = [Math.trunc(version / 10_000), version % 10_000];
  const found = KNOWN_BUGS.filter(({ fixedIn }) => minor < (fixedIn[major] ?? 0));
  return {
    bugs: found.map(({ what }) => what),
    goodMinor: Math.max(minor, ...found.map(({ fixedIn }) => fixedIn[major] ?? 0)),
  };
}

export function judgeVersion(version: number, instance: string): Check {
  const [major, minor] = [Math.trunc(version / 10_000), version % 10_000];
  const { bugs, goodMinor } = bugsOf(version);
  const evidence = { version: `${major}.${minor}`, bugs };
  if (bugs.length === 0) {
    return {
      code: 'server-version',
      level: 'ok',
      message: `PostgreSQL ${major}.${minor} has no bug that we know of in logical replication`,
      evidence,
    };
  }
  return {
    code: 'server-version',
    level: 'warn',
    message: `PostgreSQL ${major}.${minor} has known bugs: ${bugs.join('; ')}.`,
    remedy: `aws rds modify-db-instance --db-instance-identifier ${instance} --engine-version ${major}.${goodMinor} --apply-immediately`,
    evidence,
  };
}

/** The minor release, held against the bugs that are known. */
export const serverVersion: ServerCheck = {
  code: 'server-version',
  look: async (session, { plan }) => {
    const { version } = await queryOne<{ version: number }>(
      session,
      `SELECT current_setting('server_version_num')::int AS version`,
    );
    return [judgeVersion(version, plan.source.instance)];
  },
};
