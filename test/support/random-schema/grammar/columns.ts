import { isPossible, type ColumnType, type Draft, type DraftColumn } from '../draft';
import { OWN_TYPES } from './own-types';
import { PLAIN_TYPES, type TypeFeature } from './plain-types';

export const TYPES: readonly TypeFeature[] = [...PLAIN_TYPES, ...OWN_TYPES];

/** Most columns are of the plain types; one of the database's own is made once, and used again. */
const OWN_PERCENT = 30;
const NULLABLE_PERCENT = 70;
const MOST_TRIES = 200;

/** A type that fits; own types are made at their first use. */
export function pickType(draft: Draft, fits: (type: ColumnType) => boolean = () => true): ColumnType {
  const { random } = draft;
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const feature = random.pick(random.percent(OWN_PERCENT) ? OWN_TYPES : PLAIN_TYPES);
    if (!isPossible(feature, draft)) continue;
    const type = made(draft, feature);
    if (!fits(type)) continue;
    draft.note(`type: ${feature.name}`);
    return type;
  }
  throw new Error('no type fits');
}

function made(draft: Draft, feature: TypeFeature): ColumnType {
  const type = draft.types.get(feature.name) ?? { ...feature.make(draft), feature: feature.name };
  draft.types.set(feature.name, type);
  return type;
}

/** The type of this production. */
export function typeNamed(draft: Draft, name: string): ColumnType {
  const feature = TYPES.find((one) => one.name === name);
  if (!feature) throw new Error(`the grammar has no type ${name}`);
  draft.note(`type: ${name}`);
  return made(draft, feature);
}

export const column = (draft: Draft, type: ColumnType): DraftColumn => ({
  name: draft.names.next(),
  type,
  nullable: !type.feature.startsWith('domain with a regular') && draft.random.percent(NULLABLE_PERCENT),
  writable: true,
});
