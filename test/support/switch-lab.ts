import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateDBInstanceCommand } from '@aws-sdk/client-rds';
import type { MigrationRef } from '../../activities/dependencies';
import type { Endpoint } from '../../activities/postgres/session';
import { kindOf } from '../../activities/traffic/kinds';
import type { PreparedSwitch, ReadySwitchPlace, SwitchLook } from '../../activities/traffic/traffic-switch';
import type { Databases } from '../../local/pgbouncer/configuration';
import type { Pooler } from '../../local/pgbouncer/pooler';
import type { PlanInput } from '../../plan/plan';
import { ActivityLab, migrationRef } from './activity-lab';
import { SMALLEST_PLAN } from './plan';
import { PoolerLab } from './pooler-lab';
import { MASTER } from './stand-in';

type Traffic = NonNullable<NonNullable<PlanInput['cutover']>['traffic']>;
type Cutover = NonNullable<PlanInput['cutover']>;

/** Two instances that traffic can move between, without a migration: for the switches alone. */
export class SwitchLab {
  readonly folder = mkdtempSync(join(tmpdir(), 'keyshift-switch-'));
  readonly #poolers: PoolerLab;

  private constructor(
    readonly lab: ActivityLab,
    readonly source: Endpoint,
    readonly target: Endpoint,
  ) {
    this.#poolers = new PoolerLab(lab);
  }

  static async open(): Promise<SwitchLab> {
    const lab = await ActivityLab.open();
    try {
      const { instance, kmsKeyId } = SMALLEST_PLAN.target;
      await lab.aws().rds.send(
        new CreateDBInstanceCommand({
          DBInstanceIdentifier: instance,
          Engine: 'postgres',
          EngineVersion: '16',
          DBInstanceClass: 'db.m6g.large',
          AllocatedStorage: 100,
          StorageEncrypted: true,
          KmsKeyId: kmsKeyId,
          ...MASTER,
        }),
      );
      await lab.standIn.untilInstance(instance);
      return new SwitchLab(lab, await endpointOf(lab, SMALLEST_PLAN.source.instance), await endpointOf(lab, instance));
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  /** What applications find: the names of databases, all on one side. */
  on({ address, port }: Endpoint, ...names: string[]): Databases {
    return Object.fromEntries(names.map((name) => [name, { host: address, port }]));
  }

  /** A PgBouncer in front of the source, whose clients log in as the master user; it ends with the lab. */
  pooler(databases: Databases, settings: Record<string, string | number> = {}): Promise<Pooler> {
    const { MasterUsername: user, MasterUserPassword: password } = MASTER;
    return this.#poolers.start(databases, [{ user, password }], settings);
  }

  /** A plan with these switches. */
  ref(traffic: Traffic, more: Partial<Cutover> = {}): MigrationRef {
    return migrationRef({ ...SMALLEST_PLAN, cutover: { traffic, ...more } });
  }

  /** Between source and target, or back. */
  place(ref: MigrationRef, direction: 'there' | 'back' = 'there'): ReadySwitchPlace {
    const [from, to] = direction === 'there' ? [this.source, this.target] : [this.target, this.source];
    const deps = this.lab.dependencies;
    return { deps, ref: direction === 'there' ? ref : { ...ref, direction: 'back' }, from, to };
  }

  look(place: ReadySwitchPlace, index = 0): Promise<SwitchLook> {
    const entry = place.ref.plan.cutover.traffic[index];
    if (!entry) throw new Error('no such switch');
    return kindOf(entry).look(place, entry);
  }

  prepare(place: ReadySwitchPlace, index = 0): Promise<PreparedSwitch> {
    const entry = place.ref.plan.cutover.traffic[index];
    if (!entry) throw new Error('no such switch');
    return kindOf(entry).prepare(place, entry);
  }

  /** Prepares, applies and closes. */
  async switch(place: ReadySwitchPlace, index = 0): Promise<PreparedSwitch> {
    const prepared = await this.prepare(place, index);
    try {
      await prepared.apply();
      return prepared;
    } finally {
      await prepared.close?.();
    }
  }

  async close(): Promise<void> {
    await this.#poolers.close();
    rmSync(this.folder, { recursive: true, force: true });
    await this.lab.close();
  }
}

async function endpointOf(lab: ActivityLab, instance: string): Promise<Endpoint> {
  const { Endpoint } = await lab.standIn.instance(instance);
  return { address: Endpoint?.Address ?? '', port: Endpoint?.Port ?? 0 };
}
