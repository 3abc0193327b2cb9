import type { Client } from 'pg';

/** Contents, owner and rights. */
const OBJECTS = `SELECT oid::text AS oid, md5(lo_get(oid)) || lomowner::text || coalesce(lomacl::text, '') AS digest FROM pg_largeobject_metadata ORDER BY 1`;

/** Large objects that differ, are missing, or too many. */
export async function differingObjects(source: Client, target: Client): Promise<string[]> {
  const read = async (client: Client) => {
    const { rows } = await client.query<{ oid: string; digest: string }>(OBJECTS);
    return new Map(rows.map(({ oid, digest }) => [oid, digest]));
  };
  const [there, here] = [await read(source), await read(target)];
  return [...new Set([...there.keys(), ...here.keys()])]
    .filter((oid) => there.get(oid) !== here.get(oid))
    .map(
      (oid) =>
        `large object ${oid}: ${there.has(oid) ? 'on the source' : 'not on the source'}, ${here.has(oid) ? 'on the target' : 'not on the target'}`,
    );
}
