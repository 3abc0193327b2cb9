import { lookup } from 'node:dns/promises';
import type { Endpoint } from '../postgres/session';
import type { PoolerEntry } from './console';

/**
 * Entries that lead to an endpoint: by its name, or by another name or address that resolves to the same. An entry may list several
 * hosts (PgBouncer 1.17): one of them is enough.
 */
export async function entriesAt(entries: readonly PoolerEntry[], { address, port }: Endpoint): Promise<PoolerEntry[]> {
  const resolved = new Map<string, Promise<ReadonlySet<string>>>();
  const addressesOf = (name: string) => {
    const known = resolved.get(name) ?? resolve(name);
    resolved.set(name, known);
    return known;
  };
  const leadsThere = async (host: string): Promise<boolean> => {
    if (host.toLowerCase() === address.toLowerCase()) return true;
    const [theirs, ours] = await Promise.all([addressesOf(host), addressesOf(address)]);
    return [...theirs].some((one) => ours.has(one));
  };
  const verdicts = await Promise.all(
    entries.map(async (entry) => {
      if (entry.host === null || entry.port !== port) return false;
      const hosts = entry.host.split(',').map((host) => host.trim());
      return (await Promise.all(hosts.map(leadsThere))).some(Boolean);
    }),
  );
  return entries.filter((_, index) => verdicts[index]);
}

/** The addresses of a name; none when it has none, or when nobody can say. IPv4 and IPv6 of one host are told apart by nobody. */
async function resolve(name: string): Promise<ReadonlySet<string>> {
  try {
    return new Set((await lookup(name, { all: true })).map(({ address }) => address));
  } catch {
    return new Set();
  }
}
