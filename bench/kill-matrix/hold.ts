/** Holds below the product, in the driver of PostgreSQL, in the SDK and in the file system: whoever is held only sees a server that takes its time. */
import files from 'node:fs/promises';
import type { SSMClient } from '@aws-sdk/client-ssm';
import { Client } from 'pg';
import type { HoldAt } from './messages';

/** The one moment to stand still at, once. */
let hold: (HoldAt & { readonly reached: () => void }) | undefined;
type How = 'go on' | 'fail' | 'late' | 'late, then refused';
let release: ((how: How) => void) | undefined;
/** So many more are refused behind one that is late. */
let refusals = 0;
const LATE_MS = 2_000;
const REFUSALS = 3;

/** From now on what reaches the moment first stands still there; `reached` is called then. */
export function holdAt(moment: HoldAt | undefined, reached: () => void): void {
  hold = moment && { ...moment, reached };
  // What the cell before this one did not use up is not meant for this one.
  if (moment) refusals = 0;
}

/** What stands still goes on, or throws. */
export function letGo(how: How): void {
  release?.(how);
}

const failure = (): Error => Object.assign(new Error('a fault of the kill matrix'), { code: 'EIO' });

async function standStill({ reached }: NonNullable<typeof hold>): Promise<How> {
  hold = undefined;
  const how = await new Promise<How>((resolve) => {
    release = resolve;
    reached();
  });
  if (how === 'fail') throw failure();
  return how;
}

/** Sends it, and stands still before or after that if this is the moment. */
async function send<T>(
  isIt: (moment: HoldAt) => boolean,
  work: () => Promise<T>,
  prepareLate: () => Promise<() => Promise<unknown>> = () => Promise.resolve(work),
): Promise<T> {
  const moment = hold;
  if (!moment || !isIt(moment)) return work();
  if (moment.when === 'before') {
    const how = await standStill(moment);
    if (how !== 'go on') {
      const late = await prepareLate();
      setTimeout(() => void late().catch(() => undefined), LATE_MS);
      if (how === 'late, then refused') refusals = REFUSALS;
      throw failure();
    }
  }
  const answer = await work();
  if (moment.when === 'after' && hold === moment) await standStill(moment);
  return answer;
}

type Query = (this: Client, text: unknown, values?: unknown) => Promise<unknown>;
type Connected = Client & { database?: string; connectionParameters: { application_name?: string } };

const isConsole = (client: Connected): boolean => client.database === 'pgbouncer';

const isOnSide = (client: Connected, { at, hosts }: HoldAt): boolean =>
  (at === 'from' || at === 'to') &&
  client.host === hosts[at] &&
  /\/(pause|proof)$/.test(client.connectionParameters.application_name ?? '');

function installInDriver(): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its client below
  const query = Client.prototype.query as unknown as Query;
  Client.prototype.query = function (this: Connected, text: unknown, ...rest: unknown[]) {
    const work = () => query.call(this, text, ...(rest as [unknown]));
    const isIt = (moment: HoldAt) =>
      (moment.at === 'pooler' ? isConsole(this) : isOnSide(this, moment)) &&
      typeof text === 'string' &&
      new RegExp(moment.what, 's').test(text);
    return hold && isIt(hold) ? send(isIt, work) : work();
  } as never;
}

function installInFiles(): void {
  const { rename } = files;
  Object.assign(files, {
    rename: ((from, to) => {
      if (refusals > 0) {
        refusals -= 1;
        return Promise.reject(Object.assign(new Error('refused by the kill matrix'), { code: 'EACCES' }));
      }
      return send(
        ({ at, what }) => at === 'file' && new RegExp(what).test(String(to)),
        () => rename(from, to),
        // Whoever is told that it failed removes the file.
        async () => {
          const copy = `${String(to)}.late`;
          await files.copyFile(from, copy);
          return () => rename(copy, to);
        },
      );
    }) satisfies typeof rename,
  });
}

/** Once in a process, before anything is sent. */
export function installHolds(ssm: SSMClient): void {
  installInDriver();
  installInFiles();
  ssm.middlewareStack.add(
    (next, context) => (args) =>
      send(
        ({ at, what }) => at === 'aws' && (context as { commandName?: string }).commandName === what,
        () => next(args),
      ),
    { step: 'initialize', name: 'hold' },
  );
}
