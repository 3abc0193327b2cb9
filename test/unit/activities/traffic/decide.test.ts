import { decide, type DecisiveWrite } from '../../../../activities/traffic/decide';
import type { Fate } from '../../../../activities/one-request';
import type { PointsAt } from '../../../../activities/traffic/traffic-switch';

/** A store whose requests come to what is listed, one after the other, the last one for ever; it says `to` from a moment on. */
function store(
  fates: readonly ('taken' | Fate)[],
  { showsAfterMs = Number.POSITIVE_INFINITY, decidedWithinMs = 1_500, opaque = false } = {},
): DecisiveWrite & { readonly sent: number[] } {
  const sent: number[] = [];
  const startedAt = Date.now();
  return {
    sent,
    what: 'the store',
    decidedWithinMs,
    write() {
      sent.push(Date.now() - startedAt);
      const fate = fates[Math.min(sent.length, fates.length) - 1] ?? 'taken';
      return fate === 'taken' ? Promise.resolve() : Promise.reject(Object.assign(new Error(fate), { fate }));
    },
    fateOf: (error) => ({ fate: (error as { fate: Fate }).fate, error: error as Error }),
    ...(opaque
      ? {}
      : { look: () => Promise.resolve<PointsAt>(Date.now() - startedAt >= showsAfterMs ? 'to' : 'from') }),
  };
}

const goesOn = (): void => undefined;
const isOver = (): void => {
  throw new Error('the budget of 1000 ms ended');
};

describe('a switch that decides', () => {
  it('is refused at once where its first request was, and nothing was sent before', async () => {
    const of = store(['refused']);
    await expect(decide(of, { mayGoOn: goesOn })).rejects.toMatchObject({ name: 'SwitchRefused' });
    expect(of.sent).toHaveLength(1);
  });

  it('goes forward with another request when nobody knows what became of the first', async () => {
    const of = store(['unknown', 'taken']);
    await expect(decide(of, { mayGoOn: goesOn })).resolves.toBeUndefined();
    expect(of.sent).toHaveLength(2);
  });

  it('was made when the store shows it, though the answer got lost', async () => {
    const of = store(['unknown'], { showsAfterMs: 0 });
    await expect(decide(of, { mayGoOn: goesOn })).resolves.toBeUndefined();
    expect(of.sent).toHaveLength(1);
  });

  it('is not refused by the refusal of a second request: the first may show later, and does', async () => {
    const of = store(['unknown', 'refused'], { showsAfterMs: 800 });
    await expect(decide(of, { mayGoOn: goesOn })).resolves.toBeUndefined();
    expect(of.sent).toHaveLength(2);
  });

  it('is refused when nothing shows after the bound of the store, and not a moment earlier', async () => {
    const of = store(['unknown', 'refused']);
    const from = Date.now();
    await expect(decide(of, { mayGoOn: goesOn })).rejects.toMatchObject({ name: 'SwitchRefused' });
    expect(Date.now() - from).toBeGreaterThan(1_500);
  });

  it('is not refused where an attempt before may have sent a request, until its bound is over', async () => {
    const early = decide(store(['refused'], { showsAfterMs: 500 }), { mayGoOn: goesOn, sentSince: Date.now() - 100 });
    await expect(early).resolves.toBeUndefined();
    const late = decide(store(['refused']), { mayGoOn: goesOn, sentSince: Date.now() - 60_000 });
    await expect(late).rejects.toMatchObject({ name: 'SwitchRefused' });
  });

  it('sends nothing more when the budget is over, and waits with the fence up until it is known', async () => {
    const waiting: string[] = [];
    const of = store(['unknown'], { showsAfterMs: 700 });
    await expect(decide(of, { mayGoOn: isOver, waiting: (what) => void waiting.push(what) })).resolves.toBeUndefined();
    expect(of.sent).toHaveLength(1);
    expect(waiting[0]).toContain('the fence stays up');
  });

  it('asks again what was throttled, and is refused when the budget ends: no request took effect', async () => {
    await expect(decide(store(['not now', 'not now', 'taken']), { mayGoOn: goesOn })).resolves.toBeUndefined();
    await expect(decide(store(['not now']), { mayGoOn: isOver })).rejects.toMatchObject({ name: 'SwitchRefused' });
  });

  it('is never refused where nobody can read what became of it', async () => {
    const of = store(['unknown', 'refused'], { opaque: true, decidedWithinMs: Number.POSITIVE_INFINITY });
    await expect(decide(of, { mayGoOn: goesOn })).rejects.toMatchObject({ type: 'SwitchUnconfirmed' });
  });
});
