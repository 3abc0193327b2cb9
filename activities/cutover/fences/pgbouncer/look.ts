import { RENAMING_MINUTES, renames } from '../../../../plan/instance-names';
import type { Plan, Pooler } from '../../../../plan/plan';
import { awsOf, type Dependencies, instanceOf, type MigrationRef } from '../../../dependencies';
import { openConsole, type PoolerConsole, poolerName } from '../../../poolers/console';
import type { Endpoint } from '../../../postgres/session';
import { endpointOf, requireInstance } from '../../../rds/find-instance';
import type { FenceLook } from '../fence';
import { type Chosen, choose, type PgBouncerEntry } from './chosen';

/** What the board's look found: the entries that will be paused, by pooler, in the order of `cutover.poolers`. */
export interface PausedEntries {
  readonly poolers: readonly { readonly pooler: string; readonly entries: readonly string[] }[];
}

interface PoolerLook {
  readonly entries: readonly string[];
  readonly findings: string[];
  readonly red: string[];
}

/** Asks every pooler; changes nothing. One that can't be asked is red, like one that has nothing to do with the source. */
export async function lookAtPoolers(deps: Dependencies, ref: MigrationRef, entry: PgBouncerEntry): Promise<FenceLook> {
  const source = endpointOf(await requireInstance(awsOf(deps, ref), instanceOf(ref, 'source')));
  const { poolers } = ref.plan.cutover;
  const looks = await Promise.all(poolers.map((pooler) => lookAt(deps, ref, pooler, entry, source)));
  const was: PausedEntries = {
    poolers: looks.map(({ entries }, index) => ({ pooler: poolerName(poolers[index] as Pooler), entries })),
  };
  const missing = (entry.databases ?? []).filter((name) => !looks.some(({ entries }) => entries.includes(name)));
  return {
    was,
    findings: looks.flatMap(({ findings }) => findings),
    red: [
      ...looks.flatMap(({ red }) => red),
      ...missing.map((name) => `no PgBouncer of the plan has an entry ${name} in [databases]`),
      ...nobodyMovesThem(ref.plan),
    ],
  };
}

/** Entries that still lead to the source when clients go on would lead them to a server that lets nobody in. */
function nobodyMovesThem({ cutover: { traffic } }: Plan): string[] {
  const may = traffic.some(({ type }) => ['pgbouncer', 'webhook', 'manual'].includes(type));
  return may
    ? []
    : [
        'nothing in cutover.traffic leads the entries of PgBouncer to the target: add {"type": "pgbouncer"}, after a switch that changes DNS if there is one',
      ];
}

async function lookAt(
  deps: Dependencies,
  ref: MigrationRef,
  pooler: Pooler,
  entry: PgBouncerEntry,
  source: Endpoint,
): Promise<PoolerLook> {
  let console: PoolerConsole | undefined;
  try {
    console = await openConsole(deps, ref, pooler);
    const [version, settings, pools, held, chosen] = [
      await console.version(),
      await console.settings(),
      await console.pools(),
      await console.isHeld(),
      await choose(console, entry, source),
    ];
    const names = chosen.entries.map(({ name }) => name);
    const ofThese = pools.filter(({ database }) => names.includes(database));
    const sum = (of: 'clients' | 'servers') => ofThese.reduce((all, pool) => all + pool[of], 0);
    const waits = Number(settings.get('query_wait_timeout') ?? 0);
    const { name } = console;
    return {
      entries: names,
      findings: [
        `${version} at ${pooler.host}:${pooler.port}: PAUSE ${names.join(', ') || 'nothing'} (${sum('clients')} clients, ${sum('servers')} servers); a client that waits longer than ${waits > 0 ? `${waits} s` : 'it likes to'} is disconnected`,
        ...sessionMode(name, chosen, ofThese, settings),
        ...chosen.elsewhere.map(
          (one) => `${name}: ${one.name} leads to ${one.host ?? 'a socket'}:${one.port}, not visibly to the source`,
        ),
        ...chosen.left.map(
          (one) => `${name}: ${one.name} leads to the source, but the plan does not name it: its clients get errors`,
        ),
        ...severalProcesses(name, settings),
        ...shorterThanRenaming(name, waits, ref.plan),
      ],
      red: [
        ...(names.length === 0 && !entry.databases
          ? [`${name}: no entry of [databases] leads to ${source.address}:${source.port}`]
          : []),
        ...notAdmin(name, settings, console.username),
        ...(held ? [`${name} is paused or suspended as a whole already, by somebody else`] : []),
        ...chosen.entries
          .filter(({ paused }) => paused)
          .map((one) => `${name}: ${one.name} is paused already, by somebody else`),
        ...chosen.entries.filter(({ disabled }) => disabled).map((one) => `${name}: ${one.name} is disabled`),
        ...tooShort(name, waits, ref.plan),
      ],
    };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return {
      entries: [],
      findings: [],
      red: [message.includes(pooler.host) ? message : `${poolerName(pooler)}: ${message}`],
    };
  } finally {
    console?.close();
  }
}

/** In these two modes a server belongs to a client for as long as the client wants. */
function sessionMode(
  name: string,
  { entries }: Chosen,
  pools: readonly { readonly database: string; readonly poolMode: string; readonly clients: number }[],
  settings: ReadonlyMap<string, string>,
): string[] {
  const modeOf = (entry: string, own: string | null) =>
    pools.find(({ database }) => database === entry)?.poolMode || own || settings.get('pool_mode') || 'session';
  return entries
    .filter((entry) => modeOf(entry.name, entry.poolMode) === 'session')
    .map(
      (entry) =>
        `${name}: ${entry.name} pools sessions: PAUSE waits until every client has disconnected, and the pause is given up if one does not`,
    );
}

function severalProcesses(name: string, settings: ReadonlyMap<string, string>): string[] {
  return settings.get('so_reuseport') === '1'
    ? [`${name}: so_reuseport is on: if several processes listen on this port, PAUSE reaches one of them only`]
    : [];
}

/** `stats_users` may look, but not PAUSE. */
function notAdmin(name: string, settings: ReadonlyMap<string, string>, username: string): string[] {
  if (settings.get('auth_type') === 'any') return [];
  const admins = (settings.get('admin_users') ?? '').split(',').map((one) => one.trim());
  return admins.includes(username) ? [] : [`${name}: ${username} is not in admin_users, so it may not PAUSE`];
}

/** Clients that wait longer than PgBouncer lets them get an error: that is what this fence is there to prevent. */
function tooShort(name: string, seconds: number, { cutover: { pauseBudgetMs } }: Plan): string[] {
  return seconds > 0 && seconds * 1_000 < pauseBudgetMs
    ? [
        `${name}: query_wait_timeout is ${seconds} s, the pause may last ${pauseBudgetMs / 1_000} s: clients would be disconnected. Lower cutover.pauseBudgetMs, or raise query_wait_timeout`,
      ]
    : [];
}

/** How long a renaming takes is a guess, so this is only said. */
function shorterThanRenaming(name: string, seconds: number, plan: Plan): string[] {
  return renames(plan) && seconds > 0 && seconds < 60 * RENAMING_MINUTES
    ? [
        `${name}: query_wait_timeout is ${seconds} s, the renaming may take ${RENAMING_MINUTES} minutes: clients that wait would be disconnected. Raise query_wait_timeout`,
      ]
    : [];
}
