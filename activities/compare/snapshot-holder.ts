import { endSession, type Session } from '../postgres/session';

/** Sessions of one database, each in a REPEATABLE READ transaction begun while writes were stopped. */
export interface HeldPair {
  readonly source: Session;
  readonly target: Session;
  /** Names under which both are exported, so that other sessions can read under them. */
  readonly exported: { readonly source: string; readonly target: string };
}

/**
 * Keeps the snapshots of the pause open until the proof has used them. A snapshot lives as long as its session, so only
 * the process that took it can prove with it; when that process dies, the proof falls back to row versions.
 */
export class SnapshotHolder {
  readonly #held = new Map<string, ReadonlyMap<string, HeldPair>>();

  /** Takes over the sessions, per database. Those of an earlier attempt are ended. */
  async hold(migration: string, pairs: ReadonlyMap<string, HeldPair>): Promise<void> {
    await this.release(migration);
    this.#held.set(migration, pairs);
  }

  get(migration: string): ReadonlyMap<string, HeldPair> | undefined {
    return this.#held.get(migration);
  }

  /** Ends the sessions of a migration; with `only`, if those are the ones that are held. */
  async release(migration: string, only?: ReadonlyMap<string, HeldPair>): Promise<void> {
    const pairs = this.#held.get(migration);
    if (only && pairs !== only) return;
    this.#held.delete(migration);
    for (const { source, target } of pairs?.values() ?? []) {
      await Promise.all([endSession(source), endSession(target)]);
    }
  }

  async releaseAll(): Promise<void> {
    await Promise.all([...this.#held.keys()].map((migration) => this.release(migration)));
  }
}
