import { z } from 'zod';
import { randomNumbers } from '../tools/random-numbers';

const share = z.number().min(0).max(1);

/** What AWS may do and need not: shares of the cases in which it does. Tests and the nightmare profile set them; by default nothing of it happens. */
export const whimsRequest = z.strictObject({
  seed: z.int().min(0).optional(),
  /** Restored instances whose own parameter group stays `pending-reboot`: 3 of 10 (https://github.com/aws-controllers-k8s/community/issues/1949). */
  groupLeftPending: share.optional(),
  /** Restored instances and replicas that go on loading their volume (`storage-initialization`). */
  storageInitialization: share.optional(),
  /** Changes of state that show `available` for a moment in between. */
  availableInBetween: share.optional(),
  /** Calls after which reads show the world as it was before, for up to `staleSeconds` of AWS's. */
  staleReads: share.optional(),
  staleSeconds: z.number().min(0).optional(),
});
type Whim = 'groupLeftPending' | 'storageInitialization' | 'availableInBetween' | 'staleReads';
export type WhimSettings = z.infer<typeof whimsRequest>;

/** All of it. */
const NIGHTMARE: Readonly<WhimSettings> = {
  groupLeftPending: 0.7,
  storageInitialization: 0.7,
  availableInBetween: 0.7,
  staleReads: 0.5,
  staleSeconds: 45,
};

/** Decides by chance what AWS does where it has a choice. The same seed decides the n-th case of a kind alike. */
export class Whims {
  private settings: WhimSettings = {};
  private readonly draws = new Map<string, () => number>();

  /** @param nightmare seed that turns everything on */
  constructor(nightmare?: string) {
    if (nightmare === undefined || nightmare === '') return;
    if (!/^\d+$/.test(nightmare)) throw new Error('KEYSHIFT_LOCAL_NIGHTMARE must be a seed: a whole number from 0 on');
    this.set({ ...NIGHTMARE, seed: Number(nightmare) });
  }

  /** Replaces what is named; a new seed begins anew. */
  set(changes: WhimSettings): WhimSettings {
    if (changes.seed !== undefined) this.draws.clear();
    return (this.settings = { ...this.settings, ...changes });
  }

  /** Whether it happens this time. */
  takes(whim: Whim): boolean {
    const chance = this.settings[whim] ?? 0;
    return chance > 0 && this.draw(whim) < chance;
  }

  /** How long reads stay behind this time, in seconds of AWS's. */
  staleSeconds(): number {
    return (this.settings.staleSeconds ?? 0) * this.draw('staleSeconds');
  }

  private draw(what: string): number {
    const known =
      this.draws.get(what) ??
      randomNumbers([...what].reduce((sum, one) => sum * 31 + one.charCodeAt(0), this.settings.seed ?? 0));
    this.draws.set(what, known);
    return known();
  }
}
