import { setTimeout as sleep } from 'node:timers/promises';
import { GetParameterCommand } from '@aws-sdk/client-ssm';
import type { Aws } from '../../local/app/aws';
import { type Login, withClient, type ServerAddress } from '../../local/app/databases';
import { SAMPLE } from '../../local/app/names';
import type { RealDatabase } from './folder';

/** Between two runs of a script. */
const REST_MS = 20;
/** After a session has ended, or was refused. */
const RECONNECT_MS = 100;

export interface Written {
  readonly runs: number;
  readonly failed: number;
  /** The last reason why a run failed that was no lost connection. */
  readonly because?: string;
}

/** Runs `writes.sql` of each database over and over, where the endpoint parameter leads to. */
export class Writing {
  #going = true;
  #runs = 0;
  #failed = 0;
  #because: string | undefined;
  readonly #work: Promise<unknown>;

  constructor(
    private readonly aws: Aws,
    private readonly ca: string | undefined,
    private readonly login: Login,
    databases: readonly RealDatabase[],
  ) {
    this.#work = Promise.all(
      databases.flatMap(({ name, writes }) => (writes === undefined ? [] : [this.write(name, writes)])),
    );
  }

  async end(): Promise<Written> {
    this.#going = false;
    await this.#work;
    return {
      runs: this.#runs,
      failed: this.#failed,
      ...(this.#because === undefined ? {} : { because: this.#because }),
    };
  }

  private async write(database: string, sql: string): Promise<void> {
    while (this.#going) {
      await withClient(await this.address(), this.login, database, async (client) => {
        while (this.#going) {
          try {
            await client.query(sql);
            this.#runs += 1;
          } catch (error) {
            this.#failed += 1;
            const { code, message } = error as { code?: string; message: string };
            // Read-only, or the end of the session: the switch.
            if (code === undefined || /^(57P0|25006|08)/.test(code)) return;
            this.#because = `${code} ${message}`;
            await client.query('ROLLBACK').catch(() => undefined);
          }
          await sleep(REST_MS);
        }
      }).catch(() => undefined);
      await sleep(RECONNECT_MS);
    }
  }

  private async address(): Promise<ServerAddress> {
    const { Parameter } = await this.aws.ssm.send(new GetParameterCommand({ Name: SAMPLE.endpointParameter }));
    const [host = '', port = ''] = (Parameter?.Value ?? '').split(':');
    return { host, port: Number(port), ...(this.ca === undefined ? {} : { ca: this.ca }) };
  }
}
