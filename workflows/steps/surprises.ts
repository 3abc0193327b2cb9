import { equalRowsText, notProvenLines, type Proof } from '../../plan/report';

/** What the proof found beside the contents of tables; nothing to stop for, but to look at. */
export function surprises(proof: Proof): string[] {
  const { inventory = {}, sequencesBehind = [], sequencesBehindCount = sequencesBehind.length } = proof;
  const kinds = Object.entries(inventory).filter(([, { source, target }]) => source !== target);
  const { ddlSince = [], ddlChanges = ddlSince.length } = proof;
  const unproven = notProvenLines(proof);
  const equal = equalRowsText(proof);
  return [
    ...(equal === undefined ? [] : [equal]),
    ...(unproven.length > 0 ? [`NOT PROVEN: ${shortList(unproven, unproven.length)}`] : []),
    ...(ddlChanges > 0
      ? [
          `definitions were changed since the cutover, the proof is of what was there: ${shortList(ddlSince, ddlChanges)}`,
        ]
      : []),
    ...(kinds.length > 0
      ? [
          `source and target do not have the same number of ${kinds.map(([kind, { source, target }]) => `${kind} (${source}, ${target})`).join(', ')}`,
        ]
      : []),
    ...(sequencesBehind.length > 0
      ? [`sequences of the target behind the source: ${shortList(sequencesBehind, sequencesBehindCount)}`]
      : []),
  ];
}

/** So many things are named in one notice. */
const SHOWN = 10;

export const shortList = (texts: readonly string[], count: number): string => {
  const shown = texts.slice(0, SHOWN);
  return `${shown.join('; ')}${count > shown.length ? `; and ${count - shown.length} more` : ''}`;
};
