/** Strategies that this version has (design: other strategies are other orders of the same steps). */
export const STRATEGIES = ['snapshot-cdc'] as const;
export type Strategy = (typeof STRATEGIES)[number];
