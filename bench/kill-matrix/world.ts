import { join } from 'node:path';
import { PutParameterCommand } from '@aws-sdk/client-ssm';
import type { CutOverInput } from '../../activities/cutover/cut-over-input';
import { fenceSql, type FencePlan } from '../../activities/cutover/fence';
import type { FenceSet } from '../../activities/cutover/fence-set';
import { readPids } from '../../local/aws/pid-ledger';
import { freeze, thaw } from '../../local/postgres/freeze';
import { until } from '../../test/support/stand-in';
import { PARAMETER, PreparedPair } from '../cutover/prepared-pair';
import type { WorkerOptions } from './messages';
import { SERVER, Writers } from './writers';

/** Of a pause; so long that a worker that dies can be replaced, and so short that a cell doesn't take for ever. */
export const BUDGET_MS = 10_000;
const SOURCE = 'app-db';
const TARGET = 'app-db-encrypted';

export type Direction = 'there' | 'back';

/** Two servers with replication between them, ready for a pause; a pause that switched is undone by hand, for the next cell. */
export class World {
  private frozen: number | undefined;

  private constructor(
    private readonly pair: PreparedPair,
    readonly direction: Direction,
    /** As the instances are described. */
    readonly hosts: Readonly<Record<'from' | 'to', string>>,
    /** As the servers name themselves, for writers. */
    readonly servers: Readonly<Record<'from' | 'to', string>>,
    private readonly endpoint: string,
    private readonly fences: { readonly here: FenceSet; readonly there?: FenceSet },
  ) {}

  static async make(direction: Direction): Promise<World> {
    const pair = await PreparedPair.make({ databases: 1, sequences: 5 }, 'sql');
    try {
      const fences = direction === 'there' ? { here: await fenceThere(pair) } : await cutOverAndTurn(pair);
      const [from, to] = direction === 'there' ? [SOURCE, TARGET] : [TARGET, SOURCE];
      const [here, there] = [await pair.lab.standIn.instance(from), await pair.lab.standIn.instance(to)];
      const hosts = { from: here.Endpoint?.Address ?? '', to: there.Endpoint?.Address ?? '' };
      const servers = { from: await serverOf(pair, from), to: await serverOf(pair, to) };
      return new World(pair, direction, hosts, servers, `${hosts.from}:${here.Endpoint?.Port}`, fences);
    } catch (error) {
      await pair.close();
      throw error;
    }
  }

  get from(): string {
    return this.direction === 'there' ? SOURCE : TARGET;
  }

  get to(): string {
    return this.direction === 'there' ? TARGET : SOURCE;
  }

  /** What the workflow calls the activities of the pause with. */
  get input(): CutOverInput {
    const { here, there } = this.fences;
    const common = { ...inputOf(this.pair), ...here };
    return this.direction === 'there'
      ? common
      : { ...common, direction: 'back', ...(there ? { fenceThere: there } : {}) };
  }

  get worker(): WorkerOptions {
    const { standIn } = this.pair.lab;
    const { endpoint, region } = standIn.settings();
    return { endpoint, region, caFile: join(standIn.stateDir, 'rds-combined-ca-bundle.pem') };
  }

  async writers(mark: string): Promise<Writers> {
    const { user, password, ca } = await this.pair.clients();
    const login = { user, password, ...(ca === undefined ? {} : { ca }) };
    const [database = ''] = this.pair.databases;
    return new Writers({ aws: this.pair.lab.standIn.settings(), parameter: PARAMETER, login, database, mark });
  }

  async prepare(): Promise<void> {
    await this.pair.lab.run('preparePause', this.input);
  }

  /** What the workflow does behind a pause that failed or was given up, when it is aborted. */
  async undo(): Promise<void> {
    await this.pair.lab.run('lowerFence', this.input);
  }

  /** Keys of the rows of a cell, without duplicates, and how many rows there are. */
  async rows(side: 'from' | 'to', mark: string): Promise<{ keys: Set<string>; count: number }> {
    const rows = await this.sql<{ note: string }>(
      this[side],
      `SELECT note FROM orders WHERE note LIKE '${mark} %' ORDER BY id`,
    );
    return { keys: new Set(rows.map(({ note }) => note)), count: rows.length };
  }

  /** Whether an application can write there, under its own login. */
  async isWritable(side: 'from' | 'to'): Promise<boolean> {
    const { user, password } = await this.pair.clients();
    const [database = ''] = this.pair.databases;
    const client = await this.pair.lab.standIn.connect(this[side], { database, user, password }).catch(() => undefined);
    if (!client) return false;
    try {
      await client.query(`BEGIN; INSERT INTO orders (note) VALUES ('never committed'); ROLLBACK`);
      return true;
    } catch {
      return false;
    } finally {
      await client.end();
    }
  }

  async failOver(): Promise<void> {
    await this.pair.lab.standIn.control('POST', `instances/${this.from}/failover`);
  }

  async untilAvailable(): Promise<void> {
    const { standIn } = this.pair.lab;
    await standIn.untilInstance(this.from);
    await until(`${this.from} answers`, async () =>
      standIn.query(this.from, 'SELECT 1').then(
        () => true,
        () => false,
      ),
    );
  }

  /** Nothing answers there any more, and no connection is refused: as behind a network that drops every packet. */
  async cutOff(): Promise<void> {
    const { standIn } = this.pair.lab;
    const { DbiResourceId } = await standIn.instance(this.to);
    const entry = readPids(standIn.stateDir).find(({ what }) => what === `postgres ${DbiResourceId}`);
    if (!entry) throw new Error(`there is no server of ${this.to}`);
    this.frozen = entry.pid;
    freeze(entry.pid);
  }

  heal(): void {
    if (this.frozen !== undefined) thaw(this.frozen);
    this.frozen = undefined;
  }

  /** Everything as before the pause: what was written since on the other side goes, traffic and fences are where they were. */
  async reset(mark: string): Promise<void> {
    const { ssm } = this.pair.lab.aws();
    await ssm.send(new PutParameterCommand({ Name: PARAMETER, Value: this.endpoint, Overwrite: true }));
    await this.sql(this.to, `DELETE FROM orders WHERE note LIKE '${mark} % ${this.servers.to}'`);
    if (this.fences.there) await this.sql(this.to, fenceSql(this.fences.there.fence));
    await this.undo();
  }

  async close(): Promise<void> {
    this.heal();
    await this.pair.close();
  }

  private sql<Row extends object>(instance: string, statement: string): Promise<Row[]> {
    return this.pair.lab.sql<Row>(instance, statement, this.pair.databases[0]);
  }
}

function inputOf(pair: PreparedPair) {
  const { plan, ...rest } = pair.input;
  return { ...rest, plan: { ...plan, cutover: { ...plan.cutover, pauseBudgetMs: BUDGET_MS } } };
}

async function fenceThere(pair: PreparedPair): Promise<FenceSet> {
  return setOf(await pair.lab.run('readGoNoGo', inputOf(pair)));
}

const setOf = ({ fence, others }: { fence: FencePlan; others?: readonly unknown[] }): FenceSet => ({
  fence,
  ...(others ? { others } : {}),
});

/** To where a rollback may begin. */
async function cutOverAndTurn(pair: PreparedPair): Promise<{ here: FenceSet; there: FenceSet }> {
  const { lab } = pair;
  const input = inputOf(pair);
  const there = await fenceThere(pair);
  await lab.run('preparePause', input);
  const result = await lab.run('cutOver', { ...input, ...there });
  if (!result.switched) throw new Error(`the pause was given up: ${result.reason}`);
  await lab.snapshots.releaseAll();
  await lab.run('startWayBack', { ...input, from: result.wayBackFrom ?? '' });
  const board = await until('the way back has caught up', async () => {
    const found = await lab.run('readRollbackBoard', input);
    return found.red.length === 0 && found;
  });
  return { here: setOf(board), there };
}

async function serverOf(pair: PreparedPair, instance: string): Promise<string> {
  const [row] = await pair.lab.sql<{ server: string }>(instance, `SELECT ${SERVER} AS server`);
  return row?.server ?? '';
}
