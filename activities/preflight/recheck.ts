import type { DBInstance } from '@aws-sdk/client-rds';
import { type Check, CHECKS } from '../../plan/checks';
import type { Plan } from '../../plan/plan';
import { type Aws, awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { type EachDatabase, oneByOne } from '../each-database';
import { type Access, type Sides, withSession } from '../postgres/session';
import { type ParameterGroup, parameterGroupOf, requireInstance } from '../rds/find-instance';
import { checkDatabaseList, listDatabases } from './check-database-list';
import { serverLacks } from './check-privileges';
import { Denials } from './denials';
import { lookAtAws, lookAtStorage } from './look-at-aws';
import { lookAtServer, lookInside, privilegesWithin, sightOf } from './look-at-databases';
import { checkKey } from './look-at-key';
import { checkPermissions } from './look-at-permissions';
import { driftedCollations, judgeCollations } from './schema/collations';
import { DATABASE_CHECKS, SERVER_CHECKS } from './sql-checks';

const again = <T extends { readonly code: Check['code'] }>(checks: readonly T[]): T[] =>
  checks.filter(({ code }) => CHECKS[code].again);

/**
 * The checks whose facts may have changed since the preflight, made again before the cutover gate opens. Fence and traffic
 * switches are left out: the board reads them itself. What is ours by now (slots, publications, sessions) is no finding.
 */
export async function recheck(
  deps: Dependencies,
  ref: MigrationRef,
  databases: readonly string[],
  { source, target }: Sides,
  each: EachDatabase = oneByOne,
): Promise<Check[]> {
  const aws = awsOf(deps, ref);
  const [instance, key] = await Promise.all([requireInstance(aws, ref.plan.source.instance), checkKey(aws, ref.plan)]);
  // What the preflight let Keyshift set is set by now, and a database that came since is not migrated.
  const plan: Plan = { ...ref.plan, databases: [...databases], replicaIdentity: 'require' };
  const [onSource, onTarget, around] = await Promise.all([
    lookAgain(source, plan, parameterGroupOf(instance)),
    collationsOf(target, databases, each),
    lookAround(aws, ref, instance),
  ]);
  return [key.check, ...around, ...onSource, onTarget];
}

async function lookAround(aws: Aws, ref: MigrationRef, source: DBInstance): Promise<Check[]> {
  const denials = new Denials();
  const { checks, freeBytes } = await lookAtAws(aws, ref, source, denials);
  const storage = await lookAtStorage(aws, ref, source, freeBytes, denials);
  return again([...checks, ...storage, await checkPermissions(aws, ref, source, denials.found)]);
}

async function lookAgain(access: Access, plan: Plan, parameterGroup: ParameterGroup): Promise<Check[]> {
  return withSession(access, { step: 'go-no-go', database: 'postgres', readOnly: true }, async (session) => {
    const list = await listDatabases(session);
    const sight = await sightOf(session, access, plan, parameterGroup, list);
    const lacks = await serverLacks(session, access.credentials.username);
    const [server, inside] = await Promise.all([
      lookAtServer(session, sight, again(SERVER_CHECKS)),
      lookInside(access, sight, [privilegesWithin(access, lacks), ...again(DATABASE_CHECKS)]),
    ]);
    return [checkDatabaseList(plan, list), ...server, ...inside.checks];
  });
}

/** The target may have other libraries than the source: its indexes were built with the source's. */
async function collationsOf(access: Access, databases: readonly string[], each: EachDatabase): Promise<Check> {
  const found = await each('collations', databases, (database, look) =>
    withSession(access, { step: 'go-no-go', database, readOnly: true, ...look }, async (session) =>
      (await driftedCollations(session)).map((one) => ({ ...one, database })),
    ),
  );
  return judgeCollations(found.flat(), 'the target');
}
