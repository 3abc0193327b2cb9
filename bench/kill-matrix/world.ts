import { join } from 'node:path';
import type { CutOverInput } from '../../activities/cutover/cut-over-input';
import { fenceSql } from '../../activities/cutover/fence';
import type { FenceSet } from '../../activities/cutover/fence-set';
import { readPids } from '../../local/aws/pid-ledger';
import { freeze, thaw } from '../../local/postgres/freeze';
import { until } from '../../test/support/stand-in';
import { PreparedPair } from '../cutover/prepared-pair';
import { cutOverAndTurn, fenceThere, inputOf } from './fences';
import { type Front, frontOf } from './front';
import type { WorkerOptions } from './messages';
import type { FenceName } from './steps';
import { SERVER, Writers } from './writers';

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
    private readonly front: Front,
    private readonly fences: { readonly here: FenceSet; readonly there?: FenceSet },
  ) {}

  static async make(direction: Direction, fence: FenceName): Promise<World> {
    const pair = await PreparedPair.make({ databases: 1, sequences: 5 }, fence);
    try {
      const fences = direction === 'there' ? { here: await fenceThere(pair) } : await cutOverAndTurn(pair);
      const [from, to] = direction === 'there' ? [SOURCE, TARGET] : [TARGET, SOURCE];
      const [here, there] = [await pair.lab.standIn.instance(from), await pair.lab.standIn.instance(to)];
      const hosts = { from: here.Endpoint?.Address ?? '', to: there.Endpoint?.Address ?? '' };
      const servers = { from: await serverOf(pair, from), to: await serverOf(pair, to) };
      return new World(pair, direction, hosts, servers, frontOf(pair), fences);
    } catch (error) {
      await pair.close();
      throw error;
    }
  }

  /** Whether clients wait instead of failing. */
  get holdsClients(): boolean {
    return this.front.pooler !== undefined;
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
    const { endpoints, patienceMs } = this.front;
    return new Writers({ endpoints, ...(patienceMs === undefined ? {} : { patienceMs }), login, database, mark });
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
  async cutOffTarget(): Promise<void> {
    const { standIn } = this.pair.lab;
    const { DbiResourceId } = await standIn.instance(this.to);
    const entry = readPids(standIn.stateDir).find(({ what }) => what === `postgres ${DbiResourceId}`);
    if (!entry) throw new Error(`there is no server of ${this.to}`);
    this.freeze(entry.pid);
  }

  /** The same of the pooler: it holds its clients, whatever becomes of the pause. */
  cutOffPooler(): void {
    const { pooler } = this.front;
    if (!pooler) throw new Error('there is no pooler in front');
    this.freeze(pooler.pid);
  }

  heal(): void {
    if (this.frozen !== undefined) thaw(this.frozen);
    this.frozen = undefined;
  }

  /** Everything as before the pause: what was written since on the other side goes, traffic and fences are where they were. */
  async reset(mark: string): Promise<void> {
    await this.front.leadTo(this.from);
    await this.sql(this.to, `DELETE FROM orders WHERE note LIKE '${mark} % ${this.servers.to}'`);
    if (this.fences.there) await this.sql(this.to, fenceSql(this.fences.there.fence));
    await this.undo();
  }

  async close(): Promise<void> {
    this.heal();
    await this.pair.close();
  }

  private freeze(pid: number): void {
    this.frozen = pid;
    freeze(pid);
  }

  private sql<Row extends object>(instance: string, statement: string): Promise<Row[]> {
    return this.pair.lab.sql<Row>(instance, statement, this.pair.databases[0]);
  }
}

async function serverOf(pair: PreparedPair, instance: string): Promise<string> {
  const [row] = await pair.lab.sql<{ server: string }>(instance, `SELECT ${SERVER} AS server`);
  return row?.server ?? '';
}
