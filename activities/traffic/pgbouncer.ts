import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import { finalFailure } from '../../plan/failures';
import type { TrafficSwitch } from '../../plan/plan';
import { openConsole, openConsoles, type PoolerConsole, type PoolerEntry } from '../poolers/console';
import { entriesOf, namesAmongOthers, namesServer, rewriteEntries } from './pgbouncer/entries';
import { readEntriesFile, removeLeftovers, replaceText, whyNotReplaceable } from './pgbouncer/entries-file';
import { oldConnections } from './pgbouncer/old-connections';
import {
  endpointText,
  type PointsAt,
  type ReadySwitchPlace,
  SWITCH_UNCONFIRMED,
  type SwitchKind,
  type SwitchLook,
  type SwitchPlace,
  SwitchRefused,
} from './traffic-switch';

type Entry = Extract<TrafficSwitch, { type: 'pgbouncer' }>;

/**
 * No request is under way: a file is replaced when `rename` has returned, and RELOAD is carried out before it is answered. A file system
 * of the network may do it later (NFS tries again for a while).
 */
const DECIDED_WITHIN_MS = 10_000;

const filesOf = ({ file }: Entry): readonly string[] => (file === undefined ? [] : [file].flat());

/** Which entries the switch is about. */
const wantedBy =
  ({ databases }: Entry) =>
  (name: string): boolean =>
    databases?.includes(name) ?? true;

/** What one PgBouncer has of them now; of `*` only what a client has asked for. */
const shownBy = async (console: PoolerConsole, entry: Entry): Promise<(PoolerEntry & { host: string })[]> =>
  (await console.entries()).flatMap((one) =>
    one.host !== null && wantedBy(entry)(one.name) ? [{ ...one, host: one.host }] : [],
  );

/**
 * Entries of `[databases]` in a file, which PgBouncer reads again at RELOAD; the file decides, since a PgBouncer that is started anew
 * takes what it says. Where no file is named, a switch before this one has changed what the host of the entries means, and PgBouncer
 * only connects anew.
 * @see https://www.pgbouncer.org/usage.html#admin-console
 */
export const pgbouncer: SwitchKind<Entry> = {
  opaque: false,
  decidedWithinMs: DECIDED_WITHIN_MS,
  async look(place, entry) {
    const { pointsAt, findings, red } = await lookAtFiles(place, entry);
    const shown = await lookAtPoolers(place, entry);
    return { what: whatIs(entry), pointsAt, findings: [...findings, ...shown.findings], red: [...red, ...shown.red] };
  },
  async prepare(place, entry) {
    const done = await isAnyFileSwitched(place, entry);
    const consoles = await openConsoles(place.deps, place.ref);
    const old = await oldConnections(consoles, place, wantedBy(entry));
    return {
      what: whatIs(entry),
      from: endpointText(place.from),
      to: endpointText(place.to),
      done,
      async apply({ sentSince } = {}) {
        if (filesOf(entry).length > 0) {
          await rewriteAndReload(consoles, place, entry).catch((error: unknown) =>
            unlessSwitchedBefore(error, place, entry, sentSince),
          );
        } else await old.reconnect();
        await old.untilGone();
      },
      close: () => Promise.resolve(closeAll(consoles)),
    };
  },
};

const whatIs = (entry: Entry): string =>
  filesOf(entry).length > 0 ? `PgBouncer's entries in ${filesOf(entry).join(', ')}` : 'server connections of PgBouncer';

const closeAll = (consoles: readonly PoolerConsole[]): void => {
  for (const console of consoles) console.close();
};

type Seen = Pick<SwitchLook, 'pointsAt' | 'findings' | 'red'>;

async function lookAtFiles({ ref, from, to }: SwitchPlace, entry: Entry): Promise<Seen> {
  const files = filesOf(entry);
  if (files.length === 0) {
    const isFirst = ref.plan.cutover.traffic[0] === entry;
    const red =
      'The switch pgbouncer needs file, or a switch before it that changes what the host of the entries means.';
    return { pointsAt: 'unknown', findings: [], red: isFirst ? [red] : [] };
  }
  const findings: string[] = [];
  const red: string[] = [];
  const pointing: PointsAt[] = [];
  for (const name of files) {
    const file = await readEntriesFile(name).catch(({ message }: Error) => ({ message }));
    if ('message' in file) {
      red.push(`The worker can't read ${name}, in which PgBouncer's entries are to be rewritten: ${file.message}`);
      pointing.push('unread');
      continue;
    }
    const entries = entriesOf(file.text).filter((one) => wantedBy(entry)(one.name));
    const named = entries.filter((one) => namesServer(one, from)).map((one) => one.name);
    const there = to ? entries.filter((one) => namesServer(one, to)).map((one) => one.name) : [];
    const mixed = entries.filter((one) => namesAmongOthers(one, from)).map((one) => one.name);
    pointing.push(named.length > 0 ? 'from' : there.length > 0 ? 'to' : 'neither');
    const missing = entry.databases?.filter((one) => !entries.some((known) => known.name === one)) ?? [];
    if (missing.length > 0) red.push(`${name} has no entry ${missing.join(', ')}: correct databases of the switch.`);
    if (mixed.length > 0)
      red.push(`${name}: ${mixed.join(', ')} names ${from.address} beside other hosts: give each entry one host.`);
    if (named.length === 0) {
      red.push(
        `No entry of ${name} names ${endpointText(from)}: name the file with the entries that applications use, or write host=${from.address} port=${from.port} into them.`,
      );
      continue;
    }
    const why = await whyNotReplaceable(file.path);
    if (why) red.push(`The worker can't replace ${name}: ${why}.`);
    findings.push(`${name}: ${named.join(', ')} ${to ? `become ${endpointText(to)}` : `name ${endpointText(from)}`}`);
    if (there.length > 0)
      findings.push(
        `${name}: ${there.join(', ')} name the other side already; a way back would take them along, unless databases of the switch leaves them out`,
      );
  }
  const decisive = (['to', 'unread', 'from'] as const).find((one) => pointing.includes(one));
  return { pointsAt: decisive ?? 'neither', findings, red };
}

/** Whether every PgBouncer can be told, and knows no entry of the source that isn't in the files. */
async function lookAtPoolers({ deps, ref, from, to }: SwitchPlace, entry: Entry): Promise<Omit<Seen, 'pointsAt'>> {
  const findings: string[] = [];
  const red: string[] = [];
  const files = filesOf(entry);
  const texts = await Promise.all(files.map((name) => readEntriesFile(name).catch(() => undefined)));
  const known = texts.flatMap((file) => (file ? entriesOf(file.text) : [])).map(({ name }) => name);
  for (const pooler of ref.plan.cutover.poolers) {
    let console: PoolerConsole | undefined;
    try {
      console = await openConsole(deps, ref, pooler);
      const shown = await shownBy(console, entry);
      const stray = shown.filter((one) => namesServer(one, from) && !known.includes(one.name));
      if (files.length > 0 && stray.length > 0 && !known.includes('*')) {
        const names = stray.map(({ name }) => name).join(', ');
        red.push(`${console.name} has entries of ${endpointText(from)} that are not in ${files.join(', ')}: ${names}.`);
      }
      const ahead = to
        ? shown.filter((one) => namesServer(one, to) && !shown.some((two) => namesServer(two, from)))
        : [];
      if (ahead.length > 0)
        red.push(`${console.name} sends clients to the other side already: let it RELOAD its entries.`);
      findings.push(`${console.name}: ${files.length > 0 ? 'reads its entries again' : 'connects anew'}`);
    } catch (error) {
      red.push(`${(error as Error).message}. Name it in cutover.poolers as the worker reaches it.`);
    } finally {
      console?.close();
    }
  }
  return { findings, red };
}

/** @throws ApplicationFailure TrafficRefused when a file names neither side */
async function isAnyFileSwitched({ from, to }: ReadySwitchPlace, entry: Entry): Promise<boolean> {
  let switched = false;
  for (const name of filesOf(entry)) {
    const { path, text } = await readEntriesFile(name);
    await removeLeftovers(path);
    const entries = entriesOf(text).filter((one) => wantedBy(entry)(one.name));
    if (entries.some((one) => namesServer(one, from))) continue;
    if (!entries.some((one) => namesServer(one, to))) {
      throw finalFailure(
        'TrafficRefused',
        `${name} names neither ${endpointText(from)} nor ${endpointText(to)}: somebody changed it. Put ${endpointText(from)} back into it, then send retry.`,
      );
    }
    switched = true;
  }
  return switched;
}

/** A file that was replaced, as it was. */
interface Replaced {
  readonly path: string;
  readonly before: string;
}

/**
 * An attempt before this one may have replaced a file that this process can't replace, or sees as it was before: on a file system of the
 * network, or of another host.
 * @throws SwitchRefused the given error, once nothing shows that it was replaced and that can't come any more
 * @throws ApplicationFailure SWITCH_UNCONFIRMED else
 */
async function unlessSwitchedBefore(
  error: unknown,
  place: ReadySwitchPlace,
  entry: Entry,
  sentSince: number | undefined,
): Promise<never> {
  if (!(error instanceof SwitchRefused) || sentSince === undefined) throw error;
  await sleep(Math.max(0, sentSince + DECIDED_WITHIN_MS - Date.now()));
  const { pointsAt } = await lookAtFiles(place, entry);
  if (pointsAt === 'from') throw error;
  throw ApplicationFailure.retryable(
    `Nobody knows yet whether traffic is switched, so the fence stays up: ${error.message}`,
    SWITCH_UNCONFIRMED,
  );
}

async function rewriteAndReload(
  consoles: readonly PoolerConsole[],
  place: ReadySwitchPlace,
  entry: Entry,
): Promise<void> {
  const replaced = await rewriteFiles(place, entry);
  await reload(consoles);
  const states = await Promise.all(consoles.map((console) => stateOf(console, place, entry)));
  if (states.every((state) => state === 'to')) return;
  const behind = consoles.filter((_, index) => states[index] !== 'to').map(({ name }) => name);
  const message = `${behind.join(', ')} did not take the entries in ${filesOf(entry).join(', ')}: it reads another file, or refuses it (its log says why)`;
  // No client of any of them can have got to the other side: so nothing happened, if nothing can happen any more.
  if (replaced.length > 0 && states.every((state) => state === 'from')) {
    await putBack(replaced);
    await reload(consoles);
    const after = await Promise.all(consoles.map((console) => stateOf(console, place, entry)));
    if (after.every((state) => state === 'from')) throw new SwitchRefused(message);
  }
  throw ApplicationFailure.retryable(message, SWITCH_UNCONFIRMED);
}

/**
 * Newer ones refuse a configuration with a mistake, older ones keep what they had and say nothing: the look behind it tells. A
 * connection that broke fails that look, too.
 */
const reload = (consoles: readonly PoolerConsole[]): Promise<unknown> =>
  Promise.allSettled(consoles.map((console) => console.reload()));

/** Somebody may change a file at the same time as often as this. */
const ROUNDS = 3;

/**
 * @throws SwitchRefused when a file can't be replaced; those before it are what they were
 * @throws ApplicationFailure SWITCH_UNCONFIRMED when nobody knows whether one was replaced
 */
async function rewriteFiles(place: ReadySwitchPlace, entry: Entry): Promise<Replaced[]> {
  const replaced: Replaced[] = [];
  try {
    for (const name of filesOf(entry)) {
      const one = await rewriteFile(name, place, entry);
      if (one) replaced.push(one);
    }
    return replaced;
  } catch (error) {
    if (error instanceof ApplicationFailure) throw error;
    await putBack(replaced);
    throw new SwitchRefused(`PgBouncer's entries can't be rewritten: ${(error as Error).message}`);
  }
}

async function rewriteFile(name: string, { from, to }: ReadySwitchPlace, entry: Entry): Promise<Replaced | undefined> {
  for (let round = 1; round <= ROUNDS; round += 1) {
    // Read in this moment: whatever somebody else has changed in it since stays.
    const { path, text: before } = await readEntriesFile(name);
    const { text, rewritten } = rewriteEntries(before, from, to, wantedBy(entry));
    if (rewritten.length === 0) return undefined;
    if ((await replaceText(path, text, before)) === 'replaced') return { path, before };
  }
  throw new Error(`somebody else writes ${name} all the time`);
}

async function putBack(replaced: readonly Replaced[]): Promise<void> {
  for (const { path, before } of replaced) await replaceText(path, before);
}

/** Where the entries of the switch point on one PgBouncer. */
async function stateOf(
  console: PoolerConsole,
  { from, to }: ReadySwitchPlace,
  entry: Entry,
): Promise<'from' | 'to' | 'mixed'> {
  const shown = await shownBy(console, entry);
  const at = (server: typeof from) => shown.some((one) => namesServer(one, server));
  // Nothing is shown of `*` before a client asks for a name: a PgBouncer that shows neither has nobody to send anywhere.
  if (!at(from)) return 'to';
  return at(to) ? 'mixed' : 'from';
}
