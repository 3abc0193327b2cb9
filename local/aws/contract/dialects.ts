import type { MemberModel, ShapeModel } from './model';

/** The scalar types of the model. */
export type ScalarType = Exclude<ShapeModel['type'], 'structure' | 'list' | 'map'>;

/** How a protocol writes what the model says. What is raw is as a parser gives it. */
export interface Dialect {
  /** What a member of a structure is called. */
  readonly nameOf: (member: MemberModel, name: string) => string;
  /** The members of a structure by their names on the wire; undefined: it is none. */
  readonly membersOf: (raw: unknown) => Readonly<Record<string, unknown>> | undefined;
  /** The items of a list; undefined: it is none. */
  readonly itemsOf: (raw: unknown, list: ShapeModel) => readonly unknown[] | undefined;
  /** The text of a scalar, if it is written as its type is. */
  readonly textOf: (raw: unknown, type: ScalarType) => string | undefined;
}

type Members = Readonly<Record<string, unknown>>;

const isMembers = (raw: unknown): raw is Members => typeof raw === 'object' && raw !== null && !Array.isArray(raw);

/** Nothing at all is written as no text. */
const membersOfText = (raw: unknown): Members | undefined => (raw === '' ? {} : isMembers(raw) ? raw : undefined);

/** What comes once is a list, too. */
const listOf = (raw: unknown): readonly unknown[] => (Array.isArray(raw) ? raw : [raw]);

const INTEGER = /^-?\d+$/;
const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

function isWritten(text: string, type: ScalarType): boolean {
  switch (type) {
    case 'integer':
    case 'long':
      return INTEGER.test(text);
    case 'float':
    case 'double':
    case 'bigdecimal':
      return NUMBER.test(text);
    case 'boolean':
      return text === 'true' || text === 'false';
    case 'timestamp':
      return ISO_TIME.test(text);
    case 'blob':
      return BASE64.test(text);
    default:
      return true;
  }
}

const textOfText = (raw: unknown, type: ScalarType): string | undefined =>
  typeof raw === 'string' && isWritten(raw, type) ? raw : undefined;

/** Answers of query services and EC2, and documents of REST services: XML, in which everything is text. */
export const XML: Dialect = {
  nameOf: (member, name) => member.locationName ?? name,
  membersOf: membersOfText,
  itemsOf(raw, list) {
    if (list.flattened) return listOf(raw);
    const members = membersOfText(raw);
    const name = list.member?.locationName ?? 'member';
    if (!members || Object.keys(members).some((one) => one !== name)) return undefined;
    const items = members[name];
    return items === undefined ? [] : listOf(items);
  },
  textOf: textOfText,
};

/** Numbered members in their order. */
const numbered = (members: Members): readonly unknown[] | undefined =>
  Object.keys(members).every((name) => INTEGER.test(name))
    ? Object.entries(members)
        .sort(([left], [right]) => Number(left) - Number(right))
        .map(([, item]) => item)
    : undefined;

/** Requests of the Query protocol: `Tags.Tag.1.Key=a` is a tree of names and numbers. */
export const QUERY: Dialect = {
  nameOf: (member, name) => member.locationName ?? name,
  membersOf: membersOfText,
  itemsOf(raw, list) {
    const members = membersOfText(raw);
    if (!members) return undefined;
    if (list.flattened) return numbered(members);
    const name = list.member?.locationName ?? 'member';
    if (Object.keys(members).some((one) => one !== name)) return undefined;
    const items = members[name];
    return items === undefined ? [] : isMembers(items) ? numbered(items) : undefined;
  },
  textOf: textOfText,
};

/** Requests of EC2: names with a capital, lists without a word for their items. */
export const EC2_QUERY: Dialect = {
  nameOf: ({ queryName, locationName }, name) => queryName ?? capital(locationName ?? name),
  membersOf: membersOfText,
  itemsOf(raw) {
    const members = membersOfText(raw);
    return members && numbered(members);
  },
  textOf: textOfText,
};

const capital = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

/** Both ways of the JSON services. Times are seconds since 1970. */
export const JSON_DIALECT: Dialect = {
  nameOf: (member, name) => member.locationName ?? name,
  membersOf: (raw) => (isMembers(raw) ? raw : undefined),
  itemsOf: (raw) => (Array.isArray(raw) ? raw : undefined),
  textOf(raw, type) {
    switch (type) {
      case 'integer':
      case 'long':
        return Number.isSafeInteger(raw) ? String(raw) : undefined;
      case 'float':
      case 'double':
      case 'timestamp':
        return typeof raw === 'number' ? String(raw) : undefined;
      case 'boolean':
        return typeof raw === 'boolean' ? String(raw) : undefined;
      default:
        return textOfText(raw, type);
    }
  },
};
