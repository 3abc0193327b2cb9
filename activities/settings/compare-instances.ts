import type { InstanceComparison } from '../../plan/report';
import type { Description } from './describe-instance';
import { comparedFields, differingFields, isEqual, type Kind, settingOf, showSetting } from './differing-fields';
import { fixingCommand } from './fixing-command';
import { FIELD_NAMES } from './setting-fields';
import type { Wanted } from './wanted-instance';

/** Compares an instance with another whose settings it shall have, field by field. */
export function compareInstances(
  kind: Kind,
  like: Description,
  wanted: Wanted,
  found: Description,
): InstanceComparison {
  const names = [...new Set([...like.unknown.keys(), ...found.unknown.keys()])].sort();
  return {
    instance: found.instance.DBInstanceIdentifier ?? '',
    like: like.instance.DBInstanceIdentifier ?? '',
    compared: comparedFields(kind, wanted).length,
    planned: plannedChanges(like, wanted),
    differences: differingFields(kind, wanted, found.instance).map(([name, field]) => {
      const command = fixingCommand(name, field, wanted, found.instance);
      return {
        field: name,
        wanted: showSetting(settingOf(name, wanted.instance)),
        found: showSetting(settingOf(name, found.instance)),
        ...(command ? { command } : {}),
      };
    }),
    notCompared: names.map((field) => ({
      field,
      wanted: like.unknown.get(field) ?? 'none',
      found: found.unknown.get(field) ?? 'none',
    })),
  };
}

/** What the plan changes on the way. */
function plannedChanges(like: Description, { instance, free }: Wanted): string[] {
  return [
    ...FIELD_NAMES.filter((name) => !free.includes(name))
      .map((name) => ({ name, from: settingOf(name, like.instance), to: settingOf(name, instance) }))
      .filter(({ from, to }) => !isEqual(from, to))
      .map(({ name, from, to }) => `${name}: ${showSetting(from)} becomes ${showSetting(to)}`),
    ...free.map((name) => `${name}: as it comes`),
  ];
}
