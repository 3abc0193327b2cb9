import type { BoardLine, PauseForecast, WindowState } from '../../plan/board';
import { fitLines, forecastText, green, red } from '../../plan/board';
import { type Check, CHECKS } from '../../plan/checks';
import { bytes, duration } from '../../plan/format';
import { judgeChecks } from '../../plan/judge-checks';
import type { Lag } from '../../plan/progress';
import { readCarryBoard } from '../carry/board';
import { lookAtViews } from '../carry/look-at-views';
import type { Dependencies, MigrationRef } from '../dependencies';
import type { EachDatabase } from '../each-database';
import { findDrift, schemaDrifted } from '../drift/find-drift';
import { takeNewTablesAlong } from '../drift/take-new-tables-along';
import { lookAtApply } from '../follow/look-at-apply';
import { readLag } from '../follow/read-lag';
import { givenLines } from '../guard/give-identities';
import { type Access, accessToBoth, type Sides, withSession } from '../postgres/session';
import { recheck } from '../preflight/recheck';
import { lookAtReplicas } from '../replicas/look-at-replicas';
import { lookAtWayBack } from '../way-back/look-at-way-back';
import { BoardLooks } from './board-looks';
import { type FencePlan, type ForeignSession, foreignSessions, planFence, unendableOf } from './fence';
import { lookAtFences } from './fence-set';
import { forecastPause, timed } from './forecast';
import { lookAtIgnoredRoles } from './look-at-ignored-roles';
import { lookAtPasswords } from './look-at-passwords';
import { lookAtPauseQueue, type PauseQueue } from './look-at-pause-queue';
import { lookAtSettings } from './look-at-settings';
import { lookAtTargetInstance } from './look-at-target-instance';
import { lookAtTraffic } from './look-at-traffic';
import { longTransactions, preparedTransactions } from './open-transactions';
import { windowAt } from './window';

/** What the workflow knows and the board shows. */
export interface KnownFacts {
  /** What the warm-up came to; absent: not done yet. */
  readonly warmUp?: string;
  /** The last comparison of contents; absent: not done yet. */
  readonly verify?: {
    readonly at: string;
    readonly what: string;
    /** Rows that are equal, not identical, which nobody has accepted in the plan. */
    readonly equal?: string;
  };
  /** Pauses that were given up before, with their reasons. */
  readonly givenUp?: readonly string[];
}

export interface GoNoGoInput extends MigrationRef, PauseQueue {
  readonly databases: readonly string[];
  readonly known?: KnownFacts;
  /** Somebody wants to know, and nothing follows: a drifted schema is a red line then, and no new table is taken along. */
  readonly onlyLook?: boolean;
}

/** The board before the cutover: what would happen, and what speaks against it. */
export interface GoNoGo {
  /** ISO 8601. */
  readonly at: string;
  readonly lag: Lag;
  readonly fence: FencePlan;
  /** How it is without the other fences of the plan. */
  readonly others?: readonly unknown[];
  /** Without a red one: go. */
  readonly lines: readonly BoardLine[];
  readonly forecast?: PauseForecast;
  /** When the plan lets the pause begin; absent: at any time. */
  readonly window?: WindowState;
}

/**
 * Looks at everything that the pause depends on. Changes nothing, but that tables which came to both sides since get their rows, and
 * that how materialized views stand is noted.
 * @throws ApplicationFailure SchemaDrifted when the target is not like the source
 */
export async function readGoNoGo(deps: Dependencies, input: GoNoGoInput): Promise<GoNoGo> {
  const looks = new BoardLooks();
  const { each } = looks;
  const sides = await accessToBoth(deps, input);
  const drift = await lookAtDrift(deps, input, sides, looks);
  const views = await lookAtViews(input, sides, each);
  const passwords = await lookAtPasswords(deps, input, sides);
  const { lag, ...first } = await lookAtSource(deps, input, sides.source);
  const carried = await readCarryBoard(input, sides, each);
  const traffic = await lookAtTraffic(deps, input);
  let others: unknown[] = [];
  const fences: BoardLine[] = [];
  const fencesMs = await timed(async () => {
    const looks = await lookAtFences(deps, input);
    others = looks.others;
    fences.push(...red('fence', ...looks.red), ...green('fence', ...looks.findings));
  });
  const replicas = await lookAtReplicas(deps, input);
  const lines = [
    ...drift,
    ...views,
    ...passwords,
    ...first.lines,
    ...(await lookAtApply(deps, input)),
    ...lookAtKnown(input),
    ...(await lookAtTargetInstance(deps, input)),
    ...red('replicas', ...replicas.red),
    ...green('replicas', ...replicas.findings),
    ...(await lookAtSettings(deps, input)),
    ...(await lookAtIgnoredRoles(deps, input)),
    ...fences,
    ...carried.lines,
    ...traffic.lines,
    ...(await lookAtWayBack(deps, input, each)),
    ...(await lookAtPauseQueue(deps, input)),
    ...(await checksMadeAgain(deps, input, sides, each)),
    ...green('replica-identity', ...(await givenLines(deps, input, 'go-no-go', each))),
  ];
  // Last, since it is worth most when it is youngest; without effect on an empty list of other fences.
  const times = { carryMs: carried.copyMs, switchMs: traffic.ms, fencesMs: others.length > 0 ? fencesMs : 0 };
  const forecast = await forecastPause(input, sides, times, each);
  const window = windowAt(input.plan.gates.cutover.window, new Date());
  return {
    at: new Date().toISOString(),
    lag,
    fence: first.fence,
    others,
    lines: fitLines([...lines, ...forecastLines(input, forecast), ...looks.lines()]),
    forecast,
    ...(window ? { window } : {}),
  };
}

async function lookAtDrift(
  deps: Dependencies,
  input: GoNoGoInput,
  sides: Sides,
  looks: BoardLooks,
): Promise<BoardLine[]> {
  const drift = await findDrift(deps, input, looks.each, sides);
  if (drift.length > 0) {
    const failure = schemaDrifted(input, drift);
    if (!input.onlyLook) throw failure;
    return red('drift', failure.message);
  }
  // Of a database that was not looked at, nobody knows.
  const isWhole = looks.lines().length === 0;
  const same = isWhole ? green('drift', 'schema, grants, settings and comments of both sides are the same') : [];
  if (input.onlyLook) return same;
  const taken = await takeNewTablesAlong(deps, input, looks.each, sides);
  if (taken.length === 0) return same;
  return [...same, ...green('new-tables', `new since the snapshot, copied by the subscription: ${taken.join(', ')}`)];
}

/** What is seen in sessions on the source. */
async function lookAtSource(
  deps: Dependencies,
  input: GoNoGoInput,
  access: Access,
): Promise<{ lag: Lag; fence: FencePlan; lines: BoardLine[] }> {
  const { maxLagBytes, spareRoles } = input.plan.cutover;
  const lag = await readLag(deps, input);
  const { username } = access.credentials;
  const options = { step: 'go-no-go', database: 'postgres', readOnly: true };
  const { fence, sessions, long, prepared } = await withSession(access, options, async (session) => ({
    fence: await planFence(session, input.id, username, input.databases, spareRoles),
    sessions: await foreignSessions(session, { migration: input.id, roles: spareRoles }),
    long: await longTransactions(session, input.id),
    prepared: await preparedTransactions(session),
  }));
  return {
    lag,
    fence,
    lines: [
      ...(lag.bytes > maxLagBytes
        ? red('lag', `lag is ${lag.bytes} bytes, the plan allows ${maxLagBytes}; ${lag.trend}`)
        : green('lag', `lag ${bytes(lag.bytes)}, ${lag.trend}`)),
      ...red('long-transactions', ...long),
      ...red('prepared-transactions', ...prepared),
      ...(fence.unlockable.length > 0
        ? red('fence-roles', `the fence can't take LOGIN from ${fence.unlockable.join(', ')}`)
        : []),
      ...green(
        'fence-roles',
        `roles that lose LOGIN on the source: ${fence.roles.join(', ') || 'none'}`,
        `spared: ${[username, ...spareRoles].join(', ')}, RDS's own and ours`,
      ),
      ...red('fence-roles', ...unendableOf(sessions)),
      ...green(
        'sessions',
        `sessions that will be ended: ${sessions.filter(({ unendable }) => !unendable).length}`,
        ...mastersOf(sessions, username),
      ),
    ],
  };
}

function lookAtKnown({ known, plan }: GoNoGoInput): BoardLine[] {
  if (!known) return [];
  const { warmUp, verify, givenUp = [] } = known;
  const age = verify && duration(Math.max(0, Date.now() - Date.parse(verify.at)));
  const compared = verify
    ? green('last-verify', `contents compared ${age} ago: ${verify.what}`)
    : plan.verify.beforeCutover
      ? red('last-verify', 'contents have not been compared yet')
      : green('last-verify', 'contents are not compared before the cutover: the plan leaves it out');
  return [
    ...compared,
    ...(verify?.equal === undefined ? [] : red('last-verify', verify.equal)),
    ...(warmUp === undefined
      ? red('warm-up', 'the target is not warmed up yet')
      : green('warm-up', `warm-up: ${warmUp}`)),
    ...(givenUp.length > 0
      ? green('given-up', `${givenUp.length} pauses were given up before this: ${givenUp.slice(-3).join('; ')}`)
      : []),
  ];
}

function mastersOf(sessions: readonly ForeignSession[], masterUser: string): string[] {
  const found = sessions.filter(({ user }) => user === masterUser);
  if (found.length === 0) return [];
  const who = found
    .map(({ application, client }) => `${application || 'unnamed'} from ${client ?? 'local'}`)
    .join(', ');
  return [
    `the fence can't lock out the master user ${masterUser}; its sessions are ended, and the pause is given up if they come back: ${who}`,
  ];
}

async function checksMadeAgain(
  deps: Dependencies,
  input: GoNoGoInput,
  sides: Sides,
  each: EachDatabase,
): Promise<BoardLine[]> {
  const checks = await recheck(deps, input, input.databases, sides, each);
  const { stops } = judgeChecks(checks, input.plan);
  return [...stops.map(lineOfCheck), ...green('checks', `checks made again: ${checks.length}, ${stops.length} red`)];
}

/** What the plan could have let pass, a person can waive here. */
function lineOfCheck({ code, level, message }: Check): BoardLine {
  const waivable = level === 'warn' || CHECKS[code].overridable;
  return { code, red: true, text: message, ...(waivable ? {} : { final: true }) };
}

function forecastLines({ plan }: GoNoGoInput, forecast: PauseForecast): BoardLine[] {
  const { pauseBudgetMs } = plan.cutover;
  const text = `${forecastText(forecast)}; given up after ${duration(pauseBudgetMs)}`;
  return forecast.ms > pauseBudgetMs ? red('forecast', text) : green('forecast', text);
}
