import type { CutoverFacts } from '../../plan/report';
import type { MigrationRef } from '../dependencies';
import type { FenceSet } from './fence-set';

export interface CutOverInput extends MigrationRef, FenceSet {
  readonly databases: readonly string[];
  /** The way back only: the fence that the cutover left on the side to which applications return. */
  readonly fenceThere?: FenceSet;
}

/** Either traffic is on the target, or nothing happened and the gate opens again. */
export type CutOverResult =
  | ({ readonly switched: true } & CutoverFacts)
  | { readonly switched: false; readonly reason: string; readonly pauseMs: number };

/** Thrown inside the pause to give it up; never leaves the activity. */
export class PauseGivenUp extends Error {}

/** A pause that is given up while it waits says for what. */
export async function orSay(mayGoOn: () => void, waitingFor: () => string[] | Promise<string[]>): Promise<void> {
  try {
    mayGoOn();
  } catch (error) {
    if (!(error instanceof PauseGivenUp)) throw error;
    throw new PauseGivenUp([error.message, ...(await waitingFor())].join('; '));
  }
}
