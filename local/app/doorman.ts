/**
 * Lets connections reconnect in good order. While the database turns us away, one connection at a time knocks and the others wait
 * for what it finds: eight that knock for themselves would take the processor from whoever is busy switching over.
 */
export class Doorman {
  private knocking: Promise<void> | undefined;
  private open = true;

  /** Tries until it succeeds or `stopped` says so. Answers undefined if stopped. */
  async enter<T>(attempt: () => Promise<T>, backoffMs: number, stopped: () => boolean): Promise<T | undefined> {
    while (!stopped()) {
      if (!this.open && this.knocking) {
        await this.knocking;
        continue;
      }
      const own = this.open ? undefined : this.knock();
      try {
        const entered = await attempt();
        this.open = true;
        return entered;
      } catch {
        this.open = false;
        await new Promise((resolve) => setTimeout(resolve, backoffMs));
      } finally {
        own?.();
      }
    }
    return undefined;
  }

  private knock(): () => void {
    let done: () => void = () => undefined;
    this.knocking = new Promise((resolve) => (done = resolve));
    return () => {
      this.knocking = undefined;
      done();
    };
  }
}
