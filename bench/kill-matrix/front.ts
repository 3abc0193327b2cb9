import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { type EndpointSource, ParameterEndpoint } from '../../local/app/endpoint';
import type { Pooler } from '../../local/pgbouncer/pooler';
import { until } from '../../test/support/stand-in';
import { PARAMETER, type PreparedPair } from '../cutover/prepared-pair';

/** Longer than all that a cell may take: whoever is held does not give up by itself. */
const PATIENCE_MS = 60_000;

/** How applications find their database. */
export interface Front {
  readonly endpoints: EndpointSource;
  /** So long applications wait for an answer; undefined: as long as they do by themselves. */
  readonly patienceMs?: number;
  /** The pooler that holds them, if there is one: then they see no error. */
  readonly pooler?: Pooler;
  /** What a person does when the pause is over, where a person moves the traffic. */
  byHand?(instance: string): Promise<void>;
  /** Leads applications to an instance, as before a pause. Nobody may be connected. */
  leadTo(instance: string): Promise<void>;
}

/** What is in front of a pair: its pooler, or the SSM parameter. */
export function frontOf(pair: PreparedPair): Front {
  return pair.pooler ? poolerFront(pair, pair.pooler) : parameterFront(pair);
}

export function parameterFront({ lab }: PreparedPair): Front {
  return {
    endpoints: new ParameterEndpoint(new SSMClient(lab.standIn.settings()), PARAMETER),
    async leadTo(instance) {
      const { Endpoint } = await lab.standIn.instance(instance);
      const Value = `${Endpoint?.Address}:${Endpoint?.Port}`;
      await lab.aws().ssm.send(new PutParameterCommand({ Name: PARAMETER, Value, Overwrite: true }));
    },
  };
}

/** PgBouncer holds them, and is led by its file. */
export function poolerFront(pair: PreparedPair, pooler: Pooler): Front {
  const endpoint = async () => pooler.endpoint;
  return {
    endpoints: { current: endpoint, refresh: endpoint },
    patienceMs: PATIENCE_MS,
    pooler,
    async leadTo(instance) {
      pooler.rewrite(await pair.on(instance));
      await pooler.console(async (console) => {
        await console.query('RELOAD');
        await console.query('RECONNECT');
        const { rows } = await console.query<{ name: string; paused: number }>('SHOW DATABASES');
        for (const { name, paused } of rows) if (Number(paused) === 1) await console.query(`RESUME ${name}`);
        await until('PgBouncer has no connection any more', async () => {
          return (await console.query('SHOW SERVERS')).rows.length === 0;
        });
      });
    },
  };
}
