import { findFreePort, isFree } from '../../postgres/free-port';
import type { Context } from '../context';

/** Linux answers on all of 127.0.0.0/8; other systems need an alias for each address (docs/local.md). */
const LAST_ADDRESS = 254;

/** Where an instance listens. */
export interface NetworkPlace {
  readonly port: number;
  readonly address?: string;
}

/**
 * Where a new instance listens. On RDS each has an address of its own, so that all may have the same port. Here an instance that was given no port gets
 * a free one of 127.0.0.1; a port that was asked for is had in any case, if need be on another loopback address.
 */
export async function findNetworkPlace({ store }: Context, port: number | undefined): Promise<NetworkPlace> {
  const instances = store.regions().flatMap(([, state]) => Object.values(state.rds.instances));
  if (port === undefined) return { port: await findFreePort(new Set(instances.map((instance) => instance.port))) };
  const taken = new Set(instances.filter((one) => one.port === port).map((one) => one.address ?? '127.0.0.1'));
  for (let host = 1; host <= LAST_ADDRESS; host += 1) {
    const address = `127.0.0.${host}`;
    if (!taken.has(address) && (await isFree(port, address))) return host === 1 ? { port } : { port, address };
  }
  return { port: await findFreePort(new Set(instances.map((instance) => instance.port))) };
}
