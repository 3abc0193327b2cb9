import type { Major } from '../../../local/postgres/binaries';
import type { History } from './history';
import { type OtherPosition, playRound, type RoundResult } from './round';
import { Site } from './site';
import { DATABASES } from './source-events';

/** A source of each version, made when a round needs it and used by the rounds that follow. */
export class Sources {
  private readonly made = new Map<Major, Site>();

  async play(history: History, other?: OtherPosition): Promise<RoundResult> {
    const known = this.made.get(history.major);
    const source = known ?? (await Site.source(history.major, DATABASES));
    if (!known) this.made.set(history.major, source);
    return playRound(source, history, other);
  }

  async remove(): Promise<void> {
    await Promise.all([...this.made.values()].map((source) => source.remove()));
    this.made.clear();
  }
}
