/** What is in the first list and not in the second. */
export const differenceOf = (left: readonly string[] | undefined, right: readonly string[] | undefined): string[] =>
  (left ?? []).filter((one) => !(right ?? []).includes(one));
