import type { ActivityLab } from './activity-lab';

/** What a server has that an undo could take away; nothing that changes by itself. */
const SERVER = `SELECT json_build_object(
  'roles', (SELECT json_agg(json_build_array(rolname, rolcanlogin, rolpassword IS NULL, shobj_description(oid, 'pg_authid')) ORDER BY rolname) FROM pg_authid WHERE rolname !~ '^pg_'),
  'defaults', (SELECT json_agg(json_build_array(setdatabase::int, setrole::int, setconfig::text) ORDER BY setdatabase, setrole) FROM pg_db_role_setting),
  'slots', (SELECT json_agg(json_build_array(slot_name, plugin, database) ORDER BY slot_name) FROM pg_replication_slots),
  'subscriptions', (SELECT json_agg(json_build_array(subname, subenabled, subslotname, subpublications::text) ORDER BY subname, subdbid) FROM pg_subscription)) AS seen`;

const DATABASE = `SELECT json_build_object(
  'schemas', (SELECT json_agg(json_build_array(nspname, obj_description(oid, 'pg_namespace')) ORDER BY nspname) FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'),
  'publications', (SELECT json_agg(json_build_array(pubname, obj_description(oid, 'pg_publication')) ORDER BY pubname) FROM pg_publication),
  'identities', (SELECT json_agg(json_build_array(oid::regclass::text, relreplident) ORDER BY oid) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace),
  'ours', (SELECT json_agg(query_to_xml(format('SELECT purpose, fenced_at FROM %I.fence WHERE fenced_at IS NOT NULL ORDER BY 1', nspname), true, true, '')::text ORDER BY nspname)
             FROM pg_namespace n WHERE EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'fence')),
  'cutovers', (SELECT json_agg(query_to_xml(format('SELECT id, facts FROM %I.cutover ORDER BY 1', nspname), true, true, '')::text ORDER BY nspname)
             FROM pg_namespace n WHERE EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'cutover'))) AS seen`;

/** The whole world: the account, and every server in it; to be compared before and after what must destroy nothing. */
export async function wholeWorld(
  lab: ActivityLab,
  instances: readonly string[],
  databases: readonly string[],
): Promise<Record<string, unknown>> {
  const world: Record<string, unknown> = { account: await lab.standIn.control('GET', 'listing') };
  for (const instance of instances) {
    world[instance] = (await lab.standIn.asService<{ seen: unknown }>(instance, SERVER))[0]?.seen;
    for (const database of databases) {
      world[`${instance}/${database}`] = (
        await lab.standIn.asService<{ seen: unknown }>(instance, DATABASE, database)
      )[0]?.seen;
    }
  }
  return world;
}
