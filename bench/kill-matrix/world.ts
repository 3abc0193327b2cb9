import { join } from 'node:path';
import type { CutOverInput } from '../../activities/cutover/cut-over-input';
import { fenceSql } from '../../activities/cutover/fence';
import type { FenceSet } from '../../activities/cutover/fence-set';
import { cutoverTable } from '../../activities/postgres/fence-table';
import { readPids } from '../../local/aws/pid-ledger';
import { freeze, thaw } from '../../local/postgres/freeze';
import { until } from '../../test/support/stand-in';
import { PreparedPair } from '../cutover/prepared-pair';
import { cutOverAndTurn, fenceThere, inputOf } from './fences';
import { type Front, frontOf } from './front';
import type { WorkerOptions } from './messages';
import type { FenceName } from './steps';
import { type Stage, stageOf, type SwitchName } from './switch-fronts';
import { Writers } from './writers';

const SOURCE = 'app-db';
const TARGET = 'app-db-encrypted';
const OLD = 'app-db-old';

export type Direction = 'there' | 'back';

/** Two servers with replication between them, ready for a pause; a pause that switched is undone by hand, for the next cell. */
export class World {
  private frozen: number | undefined;

  private constructor(
    private readonly pair: PreparedPair,
    readonly direction: Direction,
    /** As the instances are described. */
    readonly hosts: Readonly<Record<'from' | 'to', string>>,
    private readonly front: Front,
    /** Resource ids, which are never reused and stay when an instance is renamed. */
    readonly servers: Readonly<Record<'from' | 'to', string>>,
    private readonly fences: { readonly here: FenceSet; readonly there?: FenceSet },
    /** Where the world is one of a kind of switch. */
    readonly stage?: Stage,
  ) {}

  static async make(direction: Direction, fence: FenceName, kind?: SwitchName): Promise<World> {
    let stage: Stage | undefined;
    const staged = async (made: PreparedPair) => {
      stage = kind && (await stageOf(kind, made));
      return kind === 'pgbouncer' ? undefined : stage?.cutover;
    };
    const pair = await PreparedPair.make({ databases: 1, sequences: 5 }, fence, staged);
    try {
      const source = await pair.lab.standIn.instance(SOURCE);
      if (stage?.renames) pair.ref = { ...pair.ref, sourceResourceId: source.DbiResourceId ?? '' };
      const fences = direction === 'there' ? { here: await fenceThere(pair) } : await cutOverAndTurn(pair);
      const isRenamed = direction === 'back' && stage?.renames === true;
      const [from, to] = direction === 'there' ? [SOURCE, TARGET] : isRenamed ? [SOURCE, OLD] : [TARGET, SOURCE];
      const [here, there] = [await pair.lab.standIn.instance(from), await pair.lab.standIn.instance(to)];
      const servers = { from: here.DbiResourceId ?? '', to: there.DbiResourceId ?? '' };
      const hosts = { from: here.Endpoint?.Address ?? '', to: there.Endpoint?.Address ?? '' };
      const front = stage?.front(pair) ?? frontOf(pair);
      await front.byHand?.(from);
      return new World(pair, direction, hosts, front, servers, fences, stage);
    } catch (error) {
      stage?.close?.();
      await pair.close();
      throw error;
    }
  }

  /** Whether clients wait instead of failing. */
  get holdsClients(): boolean {
    return this.front.pooler !== undefined;
  }

  /** As the plan calls it. */
  private get from(): string {
    return this.direction === 'there' ? SOURCE : TARGET;
  }

  private get to(): string {
    return this.direction === 'there' ? TARGET : SOURCE;
  }

  /** What an instance is called now. */
  private async called(side: 'from' | 'to'): Promise<string> {
    return this.stage?.renames ? this.pair.lab.standIn.nameOf(this.servers[side]) : this[side];
  }

  /** What the workflow calls the activities of the pause with. */
  get input(): CutOverInput {
    const { here, there } = this.fences;
    const renamed = this.stage?.renames && this.direction === 'back' ? { renamed: 'both' as const } : {};
    const common = { ...inputOf(this.pair), ...renamed, ...here };
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

  /** What the workflow does after a pause that failed or was given up, when it is aborted. */
  async undo(): Promise<void> {
    await this.pair.lab.run('lowerFence', this.input);
  }

  /** Keys of the rows of a cell, without duplicates, and how many rows there are. */
  async rows(side: 'from' | 'to', mark: string): Promise<{ keys: Set<string>; count: number }> {
    const rows = await this.sql<{ note: string }>(
      side,
      `SELECT note FROM orders WHERE note LIKE '${mark} %' ORDER BY id`,
    );
    return { keys: new Set(rows.map(({ note }) => note)), count: rows.length };
  }

  /** Whether an application can write there, under its own login. */
  async isWritable(side: 'from' | 'to'): Promise<boolean> {
    const { user, password } = await this.pair.clients();
    const [database = ''] = this.pair.databases;
    const client = await this.pair.lab.standIn
      .connect(await this.called(side), { database, user, password })
      .catch(() => undefined);
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
    if (this.stage?.renames) await this.receiveAgain();
    await this.sql('to', `DELETE FROM orders WHERE note LIKE '${mark} % ${this.servers.to}'`);
    // With it there, whoever lowers the fence waits until no request of the switch can be under way any more.
    await this.sql(
      'to',
      `DELETE FROM ${cutoverTable(this.pair.ref.id)} WHERE id = ${this.direction === 'back' ? 2 : 1}`,
    );
    if (this.fences.there) await this.sql('to', fenceSql(this.fences.there.fence));
    await this.undo();
  }

  /** Where the WAL of the side that applications go to ends now. */
  async positionOf(side: 'from' | 'to'): Promise<string> {
    const [row] = await this.sql<{ lsn: string }>(side, 'SELECT pg_current_wal_insert_lsn()::text AS lsn');
    return row?.lsn ?? '';
  }

  /** A person moves the traffic, where that is what the plan says. */
  async byHand(): Promise<void> {
    await this.front.byHand?.(this.to);
  }

  fault(operation: string, kind: string, more: object = {}): Promise<unknown> {
    return this.pair.lab.standIn.control('POST', 'faults', { operation, kind, ...more });
  }

  /** Until a request of the switch has run into its fault. */
  async untilUnderWay(): Promise<void> {
    await until('a request is under way', async () => {
      if (this.stage?.isTricked) return this.stage.isTricked();
      const faults = (await this.pair.lab.standIn.control('GET', 'faults')) as { hits: number }[];
      return faults.some(({ hits }) => hits > 0);
    });
  }

  async clearFaults(): Promise<void> {
    await this.pair.lab.standIn.control('DELETE', 'faults');
  }

  async close(): Promise<void> {
    this.heal();
    this.stage?.close?.();
    await this.pair.close();
  }

  private freeze(pid: number): void {
    this.frozen = pid;
    freeze(pid);
  }

  /** A renaming has disabled the subscription of the side that takes the name. */
  private async receiveAgain(): Promise<void> {
    const found = await this.sql<{ name: string }>(
      'to',
      `SELECT subname AS name FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database() WHERE NOT subenabled`,
    );
    for (const { name } of found) await this.sql('to', `ALTER SUBSCRIPTION ${name} ENABLE`);
  }

  private async sql<Row extends object>(side: 'from' | 'to', statement: string): Promise<Row[]> {
    return this.pair.lab.sql<Row>(await this.called(side), statement, this.pair.databases[0]);
  }
}
