import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { CreateDBInstanceCommand } from '@aws-sdk/client-rds';
import type { MigrationRef } from '../../activities/dependencies';
import type { Endpoint } from '../../activities/postgres/session';
import { kindOf } from '../../activities/traffic/kinds';
import type { PreparedSwitch, ReadySwitchPlace, SwitchLook } from '../../activities/traffic/traffic-switch';
import type { Databases } from '../../local/pgbouncer/configuration';
import { Pooler } from '../../local/pgbouncer/pooler';
import { findPgBouncer } from '../../local/tools/pgbouncer';
import { silently } from '../../local/tools/report';
import { ProcessRegistry } from '../../local/world/process-registry';
import type { PlanInput } from '../../plan/plan';
import { ActivityLab, migrationRef } from './activity-lab';
import { SMALLEST_PLAN } from './plan';
import { MASTER } from './stand-in';

export const POOLER_SECRET = 'pooler-admin';
const ADMIN = { user: 'keyshift_pooler', password: 'console' };

type Traffic = NonNullable<NonNullable<PlanInput['cutover']>['traffic']>;
type Cutover = NonNullable<PlanInput['cutover']>;

/** Two instances that traffic can move between, without a migration: for the switches alone. */
export class SwitchLab {
  readonly folder = mkdtempSync(join(tmpdir(), 'keyshift-switch-'));
  readonly #poolers: Pooler[] = [];

  private constructor(
    readonly lab: ActivityLab,
    readonly source: Endpoint,
    readonly target: Endpoint,
  ) {}

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
      await lab.secret(POOLER_SECRET, ADMIN.user, ADMIN.password);
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

  /** A PgBouncer in front of the source; it ends with the lab. */
  async pooler(name: string, databases: Databases, settings: Record<string, string | number> = {}): Promise<Pooler> {
    const { path } = await findPgBouncer({ report: silently });
    const pooler = await startPooler(this.lab, path, join(this.folder, name), databases, settings);
    this.#poolers.push(pooler);
    return pooler;
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
    await Promise.all(this.#poolers.map((pooler) => pooler.stop()));
    rmSync(this.folder, { recursive: true, force: true });
    await this.lab.close();
  }
}

/** A PgBouncer whose clients log in as the master user. */
export function startPooler(
  lab: ActivityLab,
  program: string,
  folder: string,
  databases: Databases,
  settings: Record<string, string | number> = {},
): Promise<Pooler> {
  return Pooler.start({
    program,
    folder,
    logFile: `${folder}.log`,
    registry: new ProcessRegistry(`${folder}.json`),
    databases,
    users: [{ user: MASTER.MasterUsername, password: MASTER.MasterUserPassword }],
    admin: ADMIN,
    ca: readFileSync(join(lab.standIn.stateDir, 'rds-combined-ca-bundle.pem'), 'utf8'),
    settings,
  });
}

export const poolerEntry = ({ host, port }: Pooler) => ({ host, port, secret: POOLER_SECRET, tls: 'off' as const });

async function endpointOf(lab: ActivityLab, instance: string): Promise<Endpoint> {
  const { Endpoint } = await lab.standIn.instance(instance);
  return { address: Endpoint?.Address ?? '', port: Endpoint?.Port ?? 0 };
}
