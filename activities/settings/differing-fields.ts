import type { DBInstance } from '@aws-sdk/client-rds';
import { type FieldName, fieldOf, type ModifyInput, type SameField, sameFields } from './setting-fields';
import type { Wanted } from './wanted-instance';

/** Whose settings are compared. */
export type Kind = 'target' | 'replica';

/** Absent, empty and false-like spellings of "nothing" are one; a list is a set. */
function canonical(value: unknown): unknown {
  if (value === null || value === '') return undefined;
  if (!Array.isArray(value)) return value;
  return value.length === 0 ? undefined : value.map(String).sort();
}

/** A setting as it is compared. */
export function settingOf(name: FieldName, instance: DBInstance): unknown {
  const field = fieldOf(name);
  return canonical(field?.of ? field.of(instance) : instance[name]);
}

/** A setting for people. */
export function showSetting(value: unknown): string {
  if (value === undefined) return 'none';
  if (typeof value === 'string') return value;
  return Array.isArray(value) ? value.join(', ') : JSON.stringify(value);
}

export const isEqual = (left: unknown, right: unknown): boolean => JSON.stringify(left) === JSON.stringify(right);

/** The fields that have to be equal, with how they are given to RDS. */
export function comparedFields(kind: Kind, { free }: Wanted): [FieldName, SameField][] {
  return sameFields().filter(
    ([name, { notOfReplicas }]) => !free.includes(name) && !(kind === 'replica' && notOfReplicas),
  );
}

/** Fields that have to be equal and are not, nor do as they are. */
export function differingFields(kind: Kind, wanted: Wanted, found: DBInstance): [FieldName, SameField][] {
  return comparedFields(kind, wanted).filter(
    ([name, { suffices }]) =>
      !isEqual(settingOf(name, wanted.instance), settingOf(name, found)) && !suffices?.(wanted.instance, found),
  );
}

/** What to ask ModifyDBInstance for, so that these fields become as wanted. */
export function modification(
  fields: readonly (readonly [FieldName, SameField])[],
  wanted: Wanted,
  found: DBInstance,
): ModifyInput {
  return Object.assign({}, ...fields.map(([, field]) => field.modify?.(wanted.instance, found) ?? {})) as ModifyInput;
}
