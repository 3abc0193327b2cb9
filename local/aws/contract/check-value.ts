import type { Dialect, ScalarType } from './dialects';
import type { MemberModel, ServiceModel, ShapeModel } from './model';

/** What is wrong with a message: where, and what kind of mistake it is. */
export interface Problem {
  readonly kind: 'missing' | 'unknown' | 'type' | 'constraint';
  /** Names as the model has them, separated by dots. */
  readonly path: string;
  readonly text: string;
}

/** A check of one message. */
export interface Check {
  readonly model: ServiceModel;
  readonly dialect: Dialect;
  /** Of an answer: AWS itself answers empty lists where its models say that a list has an item at least. */
  readonly emptyLists?: boolean;
  /** Members that count as known wherever they are. */
  readonly ignored: ReadonlySet<string>;
}

/** Longer values are cut: they are for people. */
const SHOWN = 60;

/** What a value has that its shape doesn't allow, and lacks of what it requires. */
export function problemsOf(check: Check, shapeName: string, raw: unknown, path: string): Problem[] {
  const shape = check.model.shapes[shapeName];
  if (!shape) return [{ kind: 'unknown', path, text: `the model has no shape ${shapeName}` }];
  switch (shape.type) {
    case 'structure':
      return ofStructure(check, shape, raw, path);
    case 'list':
      return ofList(check, shape, raw, path);
    case 'map':
      return ofMap(check, shape, raw, path);
    default:
      return ofScalar(check, shape, shape.type, raw, path);
  }
}

const wrongType = (path: string, what: string): Problem[] => [{ kind: 'type', path, text: `is no ${what}` }];

function ofStructure(check: Check, shape: ShapeModel, raw: unknown, path: string): Problem[] {
  const members = check.dialect.membersOf(raw);
  if (!members) return wrongType(path, 'structure');
  return ofMembers(check, bodyMembers(shape), shape.required ?? [], members, path);
}

/** The members of a structure that are in the body of a message. */
export const bodyMembers = ({ members = {} }: ShapeModel): [string, MemberModel][] =>
  Object.entries(members).filter(([, { location }]) => location === undefined);

/** Checks members that are there against those that may be. */
export function ofMembers(
  check: Check,
  known: readonly [string, MemberModel][],
  required: readonly string[],
  raw: Readonly<Record<string, unknown>>,
  path: string,
): Problem[] {
  const at = (name: string) => (path === '' ? name : `${path}.${name}`);
  const names = new Map(known.map(([name, member]) => [check.dialect.nameOf(member, name), { name, member }]));
  const problems: Problem[] = [];
  for (const [wire, value] of Object.entries(raw)) {
    const found = names.get(wire);
    if (check.ignored.has(wire)) continue;
    if (found) problems.push(...problemsOf(check, found.member.shape, value, at(found.name)));
    else problems.push({ kind: 'unknown', path: at(wire), text: 'is not in the model' });
  }
  for (const { name, member } of names.values()) {
    if (required.includes(name) && raw[check.dialect.nameOf(member, name)] === undefined)
      problems.push({ kind: 'missing', path: at(name), text: 'is required' });
  }
  return problems;
}

function ofList(check: Check, shape: ShapeModel, raw: unknown, path: string): Problem[] {
  const items = check.dialect.itemsOf(raw, shape);
  if (!items) return wrongType(path, `list${shape.member?.locationName ? ` of ${shape.member.locationName}` : ''}`);
  const { member } = shape;
  return [
    ...(check.emptyLists && items.length === 0 ? [] : ofSize(shape, items.length, path, 'items')),
    ...(member ? items.flatMap((item, index) => problemsOf(check, member.shape, item, `${path}.${index + 1}`)) : []),
  ];
}

function ofMap(check: Check, shape: ShapeModel, raw: unknown, path: string): Problem[] {
  const members = check.dialect.membersOf(raw);
  if (!members) return wrongType(path, 'map');
  const { key, value } = shape;
  return Object.entries(members).flatMap(([name, one]) => [
    ...(key ? problemsOf(check, key.shape, name, `${path}.(key)`) : []),
    ...(value ? problemsOf(check, value.shape, one, `${path}.${name}`) : []),
  ]);
}

function ofScalar(check: Check, shape: ShapeModel, type: ScalarType, raw: unknown, path: string): Problem[] {
  const text = check.dialect.textOf(raw, type);
  const shown = (typeof raw === 'string' ? raw : (JSON.stringify(raw) ?? String(raw))).slice(0, SHOWN);
  if (text === undefined) return [{ kind: 'type', path, text: `'${shown}' is no ${type}` }];
  const wrong = (why: string): Problem[] => [{ kind: 'constraint', path, text: `'${shown}' ${why}` }];
  if (type !== 'string') {
    const isNumber = type === 'integer' || type === 'long';
    return isNumber ? ofSize(shape, Number(text), path, '') : [];
  }
  const { enum: allowed, pattern } = shape;
  if (allowed && !allowed.includes(text)) return wrong(`is none of ${allowed.join(', ').slice(0, SHOWN)}`);
  if (pattern !== undefined && !patternOf(pattern).test(text)) return wrong(`does not match ${pattern}`);
  return ofSize(shape, [...text].length, path, 'characters');
}

function ofSize({ min, max }: ShapeModel, size: number, path: string, of: string): Problem[] {
  const found = of === '' ? String(size) : `${size} ${of}`;
  if (min !== undefined && size < min) return [{ kind: 'constraint', path, text: `has ${found}, at least ${min}` }];
  if (max !== undefined && size > max) return [{ kind: 'constraint', path, text: `has ${found}, at most ${max}` }];
  return [];
}

const patterns = new Map<string, RegExp>();

/** A pattern of the model, which holds for the whole value. Some escape what JavaScript's Unicode patterns don't let them. */
export function patternOf(pattern: string): RegExp {
  const known = patterns.get(pattern);
  if (known) return known;
  const whole = `^(?:${pattern})$`;
  const made = /\\p\{/.test(pattern)
    ? new RegExp(whole, 'u')
    : new RegExp(whole.replace(/\\u(10000-\\u10FFFF)/i, '\\ud800-\\udfff'));
  patterns.set(pattern, made);
  return made;
}
