import { findFreePort, isFree } from '../../postgres/free-port';
import type { Context } from '../context';
import type { InstanceRecord, NetworkPlace, RdsState } from './model';

/** Linux answers on all of 127.0.0.0/8; other systems need an alias for each address (docs/local.md). */
const LAST_ADDRESS = 254;
const FIRST_ADDRESS = '127.0.0.1';

/**
 * Where an instance of that name listens. On RDS each has a DNS name made of its identifier, and an address of its own, so that all may have the
 * same port. Here the place stands for the DNS name: a name that an instance was renamed away from keeps it for whoever takes that name. For a new
 * name it is a free port of 127.0.0.1; a port that was asked for is had in any case, if need be on another loopback address.
 */
export async function findNetworkPlace(
  { store }: Context,
  rds: RdsState,
  id: string,
  port: number | undefined,
): Promise<NetworkPlace> {
  const known = rds.places?.[id];
  if (known && (port === undefined || known.port === port)) return known;
  const reserved = store.regions().flatMap(([, state]) => reservedPlaces(state.rds));
  const ports = new Set(reserved.map((place) => place.port));
  if (port === undefined) return { port: await findFreePort(ports) };
  const taken = new Set(reserved.filter((one) => one.port === port).map(({ address }) => address ?? FIRST_ADDRESS));
  for (let host = 1; host <= LAST_ADDRESS; host += 1) {
    const address = `127.0.0.${host}`;
    if (!taken.has(address) && (await isFree(port, address))) return host === 1 ? { port } : { port, address };
  }
  return { port: await findFreePort(ports) };
}

/** Moves an instance, which must be stopped, to another name and its place. The place of the name that it had stays reserved. */
export function moveToName(rds: RdsState, instance: InstanceRecord, newId: string, place: NetworkPlace): void {
  const places = (rds.places ??= {});
  places[instance.id] ??= placeOf(instance);
  places[newId] = place;
  delete rds.instances[instance.id];
  instance.id = newId;
  instance.port = place.port;
  delete instance.address;
  if (place.address !== undefined) instance.address = place.address;
  rds.instances[newId] = instance;
}

/** Notes the place of a name, or that the name is gone. */
export function reservePlace(rds: RdsState, id: string, place: NetworkPlace | undefined): void {
  const places = (rds.places ??= {});
  if (place) places[id] = place;
  else delete places[id];
}

/** Whether a name is an instance's, or about to become one's. */
export const isNameTaken = ({ instances }: RdsState, id: string, but?: InstanceRecord): boolean =>
  Object.values(instances).some((one) => one !== but && (one.id === id || one.pending.DBInstanceIdentifier === id));

const placeOf = ({ port, address }: InstanceRecord): NetworkPlace => ({
  port,
  ...(address === undefined ? {} : { address }),
});

/** A port of 127.0.0.1 for a proxy. */
export function findProxyPort({ store }: Context): Promise<number> {
  const reserved = store.regions().flatMap(([, state]) => reservedPlaces(state.rds));
  return findFreePort(new Set(reserved.map(({ port }) => port)));
}

const reservedPlaces = ({ instances, places, proxies }: RdsState): NetworkPlace[] => [
  ...Object.values(proxies ?? {}),
  ...Object.values(instances).map(placeOf),
  ...Object.values(places ?? {}),
];
