/**
 * What speaks for it that a side serves applications.
 * - `names`: the instances have exchanged their names, or are about to
 * - `switch`: a traffic switch of the plan names the side
 * - `record`: the row of a cutover on that side
 * - `pause`: the mark of a pause on the other side
 * - `way-back`: the way back replicates
 * - `sessions`: others are connected, or write
 * - `roles`: roles that the fence locked out may log in again
 * - `alone`: it may be the only copy, since the other side is gone
 * - `leftover`: it has the tag of this migration and nothing of it inside: an earlier migration of this id ended there
 * - `unread`: it could not be looked at, and nothing proves that it is unused
 */
export type EvidenceKind =
  'names' | 'switch' | 'record' | 'pause' | 'way-back' | 'sessions' | 'roles' | 'alone' | 'leftover' | 'unread';

/** One thing that was seen; `text` is for people, and has no secrets. */
export interface Evidence {
  readonly kind: EvidenceKind;
  readonly text: string;
}
