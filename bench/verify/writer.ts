import { setTimeout as sleep } from 'node:timers/promises';
import { type Place, openPlain } from '../../test/support/compare-lab';

const CONNECTIONS = 8;

/** Writes at a given rate to the narrow table while `work` runs. Returns commits per second. */
export async function writingWhile(
  place: Place,
  rows: number,
  rate: number,
  work: () => Promise<void>,
): Promise<number> {
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => openPlain(place)));
  let [written, stopped] = [0, false];
  const since = Date.now();
  const writers = clients.map(async (client) => {
    for (let n = 1; !stopped; n++) {
      const id = 1 + Math.floor(Math.random() * rows);
      await client.query('UPDATE accounts SET abalance = abalance + 1 WHERE aid = $1', [id]);
      written += 1;
      const due = since + (n * CONNECTIONS * 1000) / rate;
      if (due > Date.now()) await sleep(due - Date.now());
    }
  });
  try {
    await work();
    return (written * 1000) / (Date.now() - since);
  } finally {
    stopped = true;
    await Promise.all(writers);
    await Promise.all(clients.map((client) => client.end()));
  }
}
