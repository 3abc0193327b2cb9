import { SAMPLE } from '../../../local/app/names';
import type { World } from '../../../local/world/world';
import { asMaster, control } from './worlds';

/** What is in a server and was not put there by its application. */
export async function serverListing(world: World, instance: string = SAMPLE.instance): Promise<object> {
  const shared = await asMaster(world, instance, 'postgres', async (client) => {
    const { rows } = await client.query<{ listing: object }>(
      `SELECT json_build_object(
         'roles', (SELECT json_agg(json_build_array(rolname, rolcanlogin, rolreplication, rolconnlimit, rolconfig) ORDER BY rolname) FROM pg_roles),
         'members', (SELECT json_agg(json_build_array(roleid::regrole, member::regrole) ORDER BY 1, 2) FROM (SELECT roleid, member FROM pg_auth_members ORDER BY 1, 2) m),
         'slots', (SELECT json_agg(slot_name) FROM pg_replication_slots),
         'subscriptions', (SELECT json_agg(subname) FROM pg_subscription),
         'settings', (SELECT json_agg(json_build_array(setdatabase, setrole, setconfig) ORDER BY setdatabase, setrole) FROM pg_db_role_setting),
         'databases', (SELECT json_agg(json_build_array(datname, datallowconn, datconnlimit) ORDER BY datname) FROM pg_database),
         'wal_level', current_setting('wal_level')) AS listing`,
    );
    return rows[0]?.listing ?? {};
  });
  const databases: Record<string, object> = {};
  for (const database of ['postgres', 'shop', 'ledger']) {
    databases[database] = await asMaster(world, instance, database, async (client) => {
      const { rows } = await client.query<{ listing: object }>(
        `SELECT json_build_object(
           'schemas', (SELECT json_agg(nspname ORDER BY nspname) FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_temp%' AND nspname NOT LIKE 'pg\\_toast_temp%'),
           'relations', (SELECT json_agg(json_build_array(oid::regclass::text, relkind, relreplident) ORDER BY oid) FROM pg_class WHERE oid >= 16384),
           'extensions', (SELECT json_agg(extname ORDER BY extname) FROM pg_extension),
           'publications', (SELECT json_agg(pubname) FROM pg_publication),
           'triggers', (SELECT json_agg(json_build_array(tgrelid::regclass::text, tgname, tgenabled) ORDER BY oid) FROM pg_trigger WHERE NOT tgisinternal),
           'eventTriggers', (SELECT json_agg(evtname) FROM pg_event_trigger)) AS listing`,
      );
      return rows[0]?.listing ?? {};
    });
  }
  return { shared, databases };
}

/** Names of everything in the account that carries the tag of a migration. */
export async function taggedAsOurs(world: World): Promise<string[]> {
  const found: string[] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const { tags, id, name, deleted } = value as Record<string, unknown>;
    // A secret that is deleted stays listed for its recovery window.
    if (deleted !== true && JSON.stringify(tags ?? '').includes('keyshift:migration')) found.push(String(id ?? name));
    Object.values(value).forEach(walk);
  };
  walk(await control(world, 'GET', 'listing'));
  return found.sort();
}

/** Everything that an abort has to leave as it was: the AWS account, and the source's server. */
export async function everything(world: World): Promise<object> {
  return { account: await control(world, 'GET', 'listing'), server: await serverListing(world) };
}
