import { queryRows, withSession, accessTo } from '../postgres/session';
import { awsOf, type Dependencies, instanceOf } from '../dependencies';
import { findInstance } from '../rds/find-instance';
import { isTheSource } from '../rds/ownership';
import type { Evidence } from './evidence';
import { patiently } from './patiently';
import { readRecords, type RecordsRef, STEP } from './records';
import { usersOf, usersText } from './sessions';
import { seeSwitches } from './switches';

export interface SourceQuestion extends RecordsRef {
  /** Roles that the fence locked out of the source: one that may log in again is a sign that somebody went back. */
  readonly fencedRoles?: readonly string[];
}

/** States in which nobody can be connected, and which an instance does not leave by itself. */
const AT_REST = new Set(['stopped', 'stopping', 'deleting']);

/**
 * What speaks for it that applications are on the source of the plan, or are back on it. A source that is gone, is stopped, or is another
 * instance by now is not in use by this migration.
 * @param withMaster sessions of the master user count, too
 */
export async function evidenceOfSource(
  deps: Dependencies,
  given: SourceQuestion,
  withMaster: boolean,
): Promise<Evidence[]> {
  const { direction: _direction, ...ref } = given;
  const aws = awsOf(deps, ref);
  const [name, other] = [instanceOf(ref, 'source'), instanceOf(ref, 'target')];
  const source = await findInstance(aws, name);
  if (!source || !isTheSource(source, ref) || AT_REST.has(source.DBInstanceStatus ?? '')) return [];
  if (!source.Endpoint?.Address) return [];
  const target = await findInstance(aws, other);
  const switches = await seeSwitches(deps, ref, { source, ...(target ? { target } : {}) });
  const seen = await patiently(async () => {
    const access = await accessTo(deps, ref, 'source');
    const users = await usersOf(access, ref, withMaster);
    const unlocked = await withSession(access, { step: STEP, database: 'postgres', readOnly: true }, (session) =>
      queryRows<{ rolname: string }>(
        session,
        'SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname = ANY ($1::text[]) ORDER BY 1',
        [ref.fencedRoles ?? []],
      ),
    );
    const { wentBackAt } = await readRecords(access, ref);
    // One that a given-up rollback left stands beside the record of the cutover, which a rollback that was made has removed.
    const isBack =
      wentBackAt !== undefined && !(target && (await readRecords(await accessTo(deps, ref, 'target'), ref)).cutOverAt);
    return { wentBackAt: isBack ? wentBackAt : undefined, users, unlocked: unlocked.map(({ rolname }) => rolname) };
  });
  const found: Evidence[] = [
    ...switches.source.map((what) => ({ kind: 'switch', text: `${what} names ${name}` }) as const),
    ...switches.unread.map((text) => ({ kind: 'unread', text }) as const),
  ];
  if ('unread' in seen) return [...found, { kind: 'unread', text: `${name} can't be read: ${seen.unread}` }];
  const { wentBackAt, users, unlocked } = seen.found;
  if (wentBackAt !== undefined) {
    found.push({ kind: 'record', text: `a rollback to ${name} is recorded there, of ${wentBackAt}` });
  }
  if (users.length > 0) found.push({ kind: 'sessions', text: `connected to ${name}: ${usersText(users)}` });
  found.push(...unlocked.map((role) => ({ kind: 'roles', text: `role ${role} may log in to ${name} again` }) as const));
  return found;
}
