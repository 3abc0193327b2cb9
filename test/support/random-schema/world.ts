import type { Major } from '../../../local/postgres/binaries';
import type { CheckCode } from '../../../plan/checks';
import { Random } from '../position/random';
import { Draft, type Feature, isPossible, type Server } from './draft';
import { FEATURES, PARKING_FEATURES } from './grammar';
import { makeTable } from './grammar/tables';
import { Names } from './names';
import { ident, literal } from './sql';
import { type Encoding, ENCODINGS } from './text';

const MAJORS: readonly Major[] = [14, 16, 18];
/** Databases in another encoding than UTF8, in percent. */
const OTHER_ENCODING_PERCENT = 25;
/** One seed of so many has something in it that the preflight has to stop at. */
const PARKING_EVERY = 16;
const WAY_BACK_PERCENT = 25;
/** Tables that every database has. */
const TABLES = { least: 2, more: 2 } as const;
/** Productions besides, in the first database and in the others. */
const EXTRAS = [14, 6, 4] as const;

/** What a seed makes: a server with databases, who writes to them, and how the migration goes on. */
export interface World {
  readonly seed: number;
  readonly major: Major;
  readonly databases: readonly Draft[];
  /** Statements for the database `postgres`: before those of the databases, and after them. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly writer: Server['writer'];
  readonly wayBack: boolean;
  readonly features: ReadonlyMap<string, number>;
  /** What may stop the preflight: nothing else may. */
  readonly parks: ReadonlySet<CheckCode>;
}

/** What a test wants in a world, whatever the seed says. */
export interface Wanted {
  readonly major?: Major;
  readonly wayBack?: boolean;
  /** Productions that the first database has. */
  readonly features?: readonly string[];
  readonly parks?: false;
}

/** The world that follows from a seed. */
export function worldOf(seed: number, wanted: Wanted = {}): World {
  const random = new Random(seed);
  const parking = wanted.parks === false ? undefined : parkingOf(seed);
  const picked = random.pick(MAJORS);
  const major = wanted.major ?? ((parking?.since ?? 0) > picked ? (parking?.since ?? picked) : picked);
  const encodings = encodingsOf(random);
  const features = new Map<string, number>();
  const note = (feature: string): void => void features.set(feature, (features.get(feature) ?? 0) + 1);
  // Names of roles and databases are read in the encoding of whichever database one is in.
  const shared: Encoding = encodings.every((one) => one === 'UTF8') ? 'UTF8' : 'SQL_ASCII';
  const names = new Names(random, shared, note);
  const owners = Array.from({ length: 2 }, () => ({ name: names.next() }));
  const writer = { name: names.next(), password: `it's "a" pass\\word` };
  const server: Server = { major, before: [], after: [], owners, writer, names, features, parks: new Set() };
  server.before.push(...rolesOf(server));
  const databases = encodings.map((encoding) => new Draft(server, names.next(), encoding, random));
  for (const [index, draft] of databases.entries()) {
    draft.note(`encoding: ${draft.encoding}`);
    server.before.push(createDatabase(draft));
    const tables = TABLES.least + random.below(TABLES.more + 1);
    for (let number = 0; number < tables; number += 1) makeTable(draft);
    if (index === 0) for (const name of new Set(wanted.features)) addByName(draft, name);
    for (let number = 0; number < (EXTRAS[index] ?? 0); number += 1) addOne(draft, FEATURES);
    if (index === 0 && parking) add(draft, parking);
    grantToWriter(draft);
  }
  return {
    seed,
    major,
    databases,
    before: server.before,
    after: server.after,
    writer,
    wayBack: wanted.wayBack ?? random.percent(WAY_BACK_PERCENT),
    features,
    parks: server.parks,
  };
}

/** One after the other, so that each of them has its turn. */
const parkingOf = (seed: number): Feature | undefined =>
  seed % PARKING_EVERY === 0 ? PARKING_FEATURES[(seed / PARKING_EVERY) % PARKING_FEATURES.length] : undefined;

function encodingsOf(random: Random): Encoding[] {
  const count = random.pick([1, 1, 2, 2, 3]);
  return Array.from({ length: count }, () =>
    random.percent(OTHER_ENCODING_PERCENT) ? random.pick(ENCODINGS) : 'UTF8',
  );
}

/** Who owns things, and who writes: a member of all of them. */
function rolesOf({ owners, writer }: Server): string[] {
  return [
    ...owners.map(({ name }) => `CREATE ROLE ${ident(name)} NOLOGIN`),
    `CREATE ROLE ${ident(writer.name)} LOGIN PASSWORD ${literal(writer.password)}`,
    ...owners.map(({ name }) => `GRANT ${ident(name)} TO ${ident(writer.name)}`),
    // As people do on RDS: the master user is no superuser, and owns what its members own.
    ...[...owners, writer].map(({ name }) => `GRANT ${ident(name)} TO CURRENT_USER`),
  ];
}

function createDatabase({ database, encoding }: Draft): string {
  const other = encoding === 'UTF8' ? '' : ` ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`;
  return `CREATE DATABASE ${ident(database)}${other}`;
}

/** One production that can be had here. */
function addOne(draft: Draft, from: readonly Feature[]): void {
  const { random } = draft;
  const possible = from.filter((one) => isPossible(one, draft));
  for (let tries = 0; tries < 10; tries += 1) if (add(draft, random.pick(possible))) return;
}

function addByName(draft: Draft, name: string): void {
  const feature = [...FEATURES, ...PARKING_FEATURES].find((one) => one.name === name);
  if (!feature) throw new Error(`the grammar has no ${name}`);
  if (!isPossible(feature, draft) || !add(draft, feature)) throw new Error(`${name} can't be had here`);
}

function add(draft: Draft, feature: Feature): boolean {
  if (feature.add(draft, draft.random) === false) return false;
  draft.note(feature.name);
  for (const code of feature.parks ?? []) draft.server.parks.add(code);
  return true;
}

/** Last of all, so that it holds for everything that was made. */
function grantToWriter(draft: Draft): void {
  const to = ident(draft.server.writer.name);
  for (const schema of draft.schemas.map(ident)) {
    draft.run(
      `GRANT USAGE ON SCHEMA ${schema} TO ${to}`,
      `GRANT ALL ON ALL TABLES IN SCHEMA ${schema} TO ${to}`,
      `GRANT ALL ON ALL SEQUENCES IN SCHEMA ${schema} TO ${to}`,
    );
    for (const { name } of draft.server.owners) {
      draft.run(`GRANT USAGE ON SCHEMA ${schema} TO ${ident(name)}`);
    }
  }
}
