import { PutParameterCommand } from '@aws-sdk/client-ssm';
import { cutoverTable } from '../../activities/postgres/fence-table';
import { poolerFront } from '../kill-matrix/front';
import { PARAMETER, type PreparedPair } from './prepared-pair';

const [SOURCE, TARGET] = ['app-db', 'app-db-encrypted'];

/**
 * Everything as before a pause, for the next one on the same servers: traffic and fences are where they were, what was written on the
 * target since is gone, and its sequences have to be set again. Nobody may be connected.
 * @param lowerFences what takes down the fences that are left, once traffic is where it was
 */
export async function putBack(pair: PreparedPair, lowerFences: () => Promise<void>): Promise<void> {
  const { lab, databases, pooler } = pair;
  await pair.endSessions();
  await lab.snapshots.releaseAll();
  if (pooler) await poolerFront(pair, pooler).leadTo(SOURCE);
  const { Endpoint } = await lab.standIn.instance(SOURCE);
  const Value = `${Endpoint?.Address}:${Endpoint?.Port}`;
  await lab.aws().ssm.send(new PutParameterCommand({ Name: PARAMETER, Value, Overwrite: true }));
  for (const database of databases) {
    const [row] = await lab.sql<{ last: string }>(SOURCE, 'SELECT coalesce(max(id), 0) AS last FROM orders', database);
    await lab.sql(
      TARGET,
      `BEGIN READ WRITE;
       DELETE FROM orders WHERE id > ${row?.last ?? 0};
       SELECT count(setval(oid, 1, false)) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace;
       COMMIT`,
      database,
    );
  }
  // With it there, whoever lowers the fence waits until no request of the switch can be under way any more.
  const forget = `BEGIN READ WRITE; DELETE FROM ${cutoverTable(pair.ref.id)}; COMMIT`;
  await lab.sql(TARGET, forget, databases[0]);
  await lowerFences();
}
