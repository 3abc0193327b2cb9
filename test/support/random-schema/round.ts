import { PutParameterCommand } from '@aws-sdk/client-ssm';
import type { Client } from 'pg';
import type { FenceSet } from '../../../activities/cutover/fence-set';
import type { MigrationRef } from '../../../activities/dependencies';
import { waitFor } from '../../../local/world/wait-for';
import type { CheckCode } from '../../../plan/checks';
import { judgeChecks } from '../../../plan/judge-checks';
import { ActivityLab, migrationRef } from '../activity-lab';
import { deniedIn } from '../denied';
import { withEventTriggers } from '../event-triggers';
import { MARK } from '../migration-steps';
import { SMALLEST_PLAN } from '../plan';
import { type Catalogs, catalogsOf, differingCatalogs } from './compare/catalogs';
import { differingObjects } from './compare/large-objects';
import { differingTables } from './compare/rows';
import { wrongSequences } from './compare/sequences';
import { type Fault, type Moment, plantFaults } from './faults';
import { isOfService } from './sql';
import { StepFailed, StepRunner } from './step-runner';
import type { World } from './world';
import { Writers } from './writer';

const SOURCE = SMALLEST_PLAN.source.instance;
const TARGET = SMALLEST_PLAN.target.instance;
const PARAMETER = '/app/database';
/** Transactions that are written on the target before somebody goes back. */
const WRITTEN_THERE = 40;
const WRITTEN_WITHIN_MS = 30_000;
const APPLIED_WITHIN_MS = 60_000;

/** What an operator would accept of the databases that the grammar makes. */
const ACKNOWLEDGED: readonly CheckCode[] = [
  'event-triggers',
  'foreign-tables',
  'reg-columns',
  'unlogged-references',
  'sequence-ranges',
  'invalid-indexes',
  'calling-out',
  'long-transactions',
  'full-identity-equality',
  'wal-rate',
];

/** Settings of a session that compares: those of roles and databases must not have a say. */
const PINNED = `SET statement_timeout = 0; SET search_path = pg_catalog; SET "DateStyle" = 'ISO, YMD'; SET "IntervalStyle" = 'postgres'; SET "TimeZone" = 'UTC';
  SET extra_float_digits = 1; SET bytea_output = 'hex'; SET row_security = off; SET quote_all_identifiers = off; SET xmlbinary = 'base64'; SET xmloption = 'content'`;

export interface SeedResult {
  readonly world: World;
  /** `parked`: by the preflight, by checks that this world may be stopped by. `wrong`: the rest. */
  readonly verdict: 'right' | 'parked' | 'wrong';
  /** Codes, where it parked. */
  readonly codes: readonly CheckCode[];
  /** What is wrong, one line each; or why it parked. */
  readonly detail: readonly string[];
  readonly written: number;
  readonly pauseMs: number | undefined;
  readonly steps: ReadonlyMap<string, number>;
  readonly ms: number;
}

/** Makes the world of a seed on servers of its own, moves it by the product's activities while it is written to, and compares. */
export async function playSeed(world: World, faults: readonly Fault[] = []): Promise<SeedResult> {
  const startedAt = Date.now();
  const lab = await ActivityLab.open(String(world.major));
  const round = new Round(lab, world, faults);
  try {
    const found = await round.play();
    const denied = deniedIn(lab.standIn.stateDir).map((line) => `refused to the master user: ${line}`);
    const verdict = denied.length > 0 ? 'wrong' : found.verdict;
    const detail = [...found.detail, ...denied];
    return { world, ...found, verdict, detail, steps: round.steps.ms, ms: Date.now() - startedAt };
  } finally {
    await lab.close();
  }
}

type Played = Pick<SeedResult, 'verdict' | 'codes' | 'detail' | 'written' | 'pauseMs'>;
type Input = MigrationRef & { readonly databases: readonly string[] };

class Round {
  readonly steps: StepRunner;
  readonly #wrong: string[] = [];
  readonly #writers: Writers[] = [];
  #written = 0;
  #pauseMs: number | undefined;

  constructor(
    private readonly lab: ActivityLab,
    private readonly world: World,
    private readonly faults: readonly Fault[],
  ) {
    this.steps = new StepRunner(lab, TARGET);
  }

  async play(): Promise<Played> {
    await this.makeWorld();
    const before = await this.catalogs(SOURCE);
    try {
      const parked = await this.migrate(before);
      if (parked) return parked;
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      this.#wrong.push(error.message);
    } finally {
      await this.endWriters();
    }
    return this.played(this.#wrong.length === 0 ? 'right' : 'wrong', this.#wrong);
  }

  private played(verdict: Played['verdict'], detail: readonly string[], codes: readonly CheckCode[] = []): Played {
    return { verdict, detail, codes, written: this.#written, pauseMs: this.#pauseMs };
  }

  /** Roles and databases, what is in them, and what is set for them. */
  private async makeWorld(): Promise<void> {
    const { before, databases, after } = this.world;
    await this.statements('postgres', before);
    for (const { database, statements } of databases) await this.statements(database, statements);
    await this.statements('postgres', after);
    const { Endpoint } = await this.lab.standIn.instance(SOURCE);
    const Value = `${Endpoint?.Address}:${Endpoint?.Port}`;
    await this.lab.aws().ssm.send(new PutParameterCommand({ Name: PARAMETER, Type: 'String', Value }));
  }

  private async statements(database: string, statements: readonly string[]): Promise<void> {
    const client = await this.lab.standIn.connect(SOURCE, { database });
    try {
      for (const statement of statements) {
        const made = isOfService(statement)
          ? this.lab.standIn.asService(SOURCE, statement, database)
          : client.query(withEventTriggers(statement));
        await made.catch((error: Error) => {
          throw new Error(`seed ${this.world.seed}, the grammar is wrong: ${error.message}: ${statement}`, {
            cause: error,
          });
        });
      }
    } finally {
      await client.end();
    }
  }

  /** It takes `session_replication_role`, which RDS lets its master user set on every major, and the stand-in from 15 on. */
  private get copiesUnlogged(): boolean {
    return this.world.major >= 15;
  }

  private reference(): MigrationRef {
    return migrationRef(
      {
        ...SMALLEST_PLAN,
        databases: this.world.databases.map(({ database }) => database),
        replicaIdentity: 'set',
        acknowledge: [...ACKNOWLEDGED],
        carry: { largeObjects: 'copy', unloggedTables: this.copiesUnlogged ? 'copy' : 'empty' },
        soak: { wayBack: this.world.wayBack ? 'replicate' : 'none' },
        verify: { showValues: true, dutyPercent: 100 },
        cutover: { pauseBudgetMs: 20_000, traffic: [{ type: 'ssm-parameter', name: PARAMETER }] },
      },
      `s${this.world.seed}`,
    );
  }

  /** @returns why it parked in the preflight; undefined: it went through */
  private async migrate(before: ServerCatalogs): Promise<Played | undefined> {
    const { steps } = this;
    const ref = this.reference();
    this.write(SOURCE);
    const { checks, source } = await steps.run('runPreflight', ref);
    const { stops } = judgeChecks(checks, ref.plan);
    if (stops.length > 0 || !source) {
      const codes = stops.map(({ code }) => code);
      const explained = codes.length > 0 && codes.every((code) => this.world.parks.has(code));
      const why = stops.map(({ code, level, message }) => `${code} (${level}): ${message}`);
      return this.played(explained ? 'parked' : 'wrong', why, codes);
    }
    const input = { ...ref, databases: source.databases };
    await this.capture(ref, input, source.targetKmsKeyArn);
    await this.follow(ref, input);
    const facts = await this.cutOver(input);
    if (!facts) return undefined;
    const { fences, result } = facts;
    if (this.world.wayBack) await steps.run('startWayBack', { ...input, from: result.wayBackFrom ?? '' });
    await steps.run('resumeNeighbours', { ...input, ...(result.neighbours ? { neighbours: result.neighbours } : {}) });
    await this.complain('proveContents', { ...input, ...snapshotsOf(result) });
    await this.endWriters();
    await this.compare(SOURCE, TARGET);
    if (this.world.wayBack) await this.goBack(input, fences);
    await this.finish(input, before);
    return undefined;
  }

  /** To a target that has subscribed. */
  private async capture(ref: MigrationRef, input: Input, kmsKeyArn: string): Promise<void> {
    const { steps } = this;
    const { rebootNeeded } = await steps.run('prepareParameters', ref);
    if (rebootNeeded) await steps.run('rebootSource', ref);
    await steps.run('createAccess', ref);
    await steps.run('setReplicaIdentities', input);
    await steps.run('createPublications', { ...input, mark: MARK });
    const slots = await steps.run('createSlots', input);
    await steps.run('createSnapshot', ref);
    const encrypted = { ...ref, kmsKeyArn };
    await steps.run('copySnapshot', encrypted);
    const { quarantined } = await steps.run('restoreTarget', encrypted);
    const position = (await steps.run('readPosition', { ...ref, slots })).lsn;
    await steps.run('quarantineClone', { ...input, mark: MARK });
    if (quarantined) await steps.run('endQuarantine', ref);
    await steps.run('createSubscriptions', { ...input, position });
    await this.plant('subscribed');
    await steps.run('enableSubscriptions', { ...input, position });
    if (this.faults.length === 0) return;
    await this.applied();
    await this.plant('applied');
  }

  private async follow(ref: MigrationRef, input: Input): Promise<void> {
    const { steps } = this;
    await steps.run('applySettings', ref);
    if (this.world.wayBack) await steps.run('prepareWayBack', input);
    await steps.run('waitForCatchUp', input);
    await steps.run('refreshViews', input);
    await this.complain('verifyContents', input);
  }

  private async cutOver(input: Input) {
    const { steps } = this;
    const { fence, others, lines } = await steps.run('readGoNoGo', input);
    const fences: FenceSet = { fence, ...(others ? { others } : {}) };
    this.#wrong.push(...lines.filter(({ red }) => red).map(({ text }) => `the board is red: ${text}`));
    await steps.run('preparePause', input);
    const result = await steps.run('cutOver', { ...input, ...fences });
    if (!result.switched) {
      this.#wrong.push(`the pause was given up: ${result.reason}`);
      return undefined;
    }
    this.#pauseMs = result.pauseMs;
    await this.plant('switched');
    return { fences, result };
  }

  /** Applications write on the target, and return; both sides are compared once more. */
  private async goBack(input: Input, fenceThere: FenceSet): Promise<void> {
    const { steps } = this;
    const back = { ...input, direction: 'back' } as const;
    const writers = this.write(TARGET);
    await waitFor('writers on the target', () => writers.committed >= WRITTEN_THERE, { timeoutMs: WRITTEN_WITHIN_MS });
    await steps.run('waitForCatchUp', back);
    const { red, fence, others } = await steps.run('readRollbackBoard', input);
    this.#wrong.push(...red.map((text) => `the board of the way back is red: ${text}`));
    await steps.run('preparePause', back);
    const result = await steps.run('cutOver', { ...back, fence, others, fenceThere });
    if (!result.switched) {
      this.#wrong.push(`the pause of the way back was given up: ${result.reason}`);
      return;
    }
    await steps.run('resumeNeighbours', { ...back, ...(result.neighbours ? { neighbours: result.neighbours } : {}) });
    await this.complain('proveContents', { ...back, ...snapshotsOf(result) });
    await this.endWriters();
    await this.compare(TARGET, SOURCE);
  }

  /** All that was for the migration is gone; what is left is as it was before it began. */
  private async finish(input: Input, before: ServerCatalogs): Promise<void> {
    const [side, instance] = this.world.wayBack ? (['source', SOURCE] as const) : (['target', TARGET] as const);
    await this.steps.run('removeReplication', { ...input, serving: side });
    await this.steps.run('restoreReplicaIdentities', { ...input, side });
    const after = await this.catalogs(instance);
    for (const [database, wanted] of before) {
      const found = differingCatalogs(wanted, after.get(database) ?? new Map());
      this.#wrong.push(...found.map((line) => `${database || 'server'}: ${line}`));
    }
  }

  /** A step whose failure is a finding, behind which there may be more. */
  private async complain(...[name, input]: Parameters<StepRunner['run']>): Promise<void> {
    await this.steps.run(name, input).catch((error: unknown) => {
      if (!(error instanceof StepFailed)) throw error;
      this.#wrong.push(error.message);
    });
  }

  /** What was written until now is on the target. */
  private async applied(): Promise<void> {
    const [now] = await this.lab.sql<{ lsn: string }>(SOURCE, 'SELECT pg_current_wal_lsn()::text AS lsn');
    const behind = `SELECT 1 FROM pg_replication_slots WHERE confirmed_flush_lsn < '${now?.lsn}'::pg_lsn`;
    const isApplied = async () => (await this.lab.sql(SOURCE, behind)).length === 0;
    await this.steps.wait('apply', () => waitFor('changes are applied', isApplied, { timeoutMs: APPLIED_WITHIN_MS }));
  }

  private plant(moment: Moment): Promise<void> {
    return plantFaults(this.lab, this.world, this.faults, TARGET, moment);
  }

  private write(instance: string): Writers {
    const writers = Writers.start(this.lab, this.world, instance);
    this.#writers.push(writers);
    return writers;
  }

  private async endWriters(): Promise<void> {
    for (const writers of this.#writers.splice(0)) {
      try {
        this.#written += (await writers.end()).committed;
      } catch (error) {
        this.#wrong.push((error as Error).message);
      }
    }
  }

  /** Rows, sequences and large objects of all databases. */
  private async compare(from: string, to: string): Promise<void> {
    for (const { database } of this.world.databases) {
      const found = await this.between(from, to, database, async (source, target) => [
        ...(await differingTables(source, target, this.copiesUnlogged)),
        ...(await wrongSequences(source, target)),
        ...(await differingObjects(source, target)),
      ]);
      this.#wrong.push(...found.map((line) => `${database}: ${line}`));
    }
  }

  private async between<T>(
    from: string,
    to: string,
    database: string,
    work: (source: Client, target: Client) => Promise<T>,
  ): Promise<T> {
    return this.session(from, database, (source) => this.session(to, database, (target) => work(source, target)));
  }

  private async session<T>(instance: string, database: string, work: (client: Client) => Promise<T>): Promise<T> {
    return this.lab.standIn.withService(instance, database, async (client) => {
      await client.query(PINNED);
      return work(client);
    });
  }

  private async catalogs(instance: string): Promise<ServerCatalogs> {
    const found = new Map<string, Catalogs>();
    found.set('', await this.session(instance, 'postgres', (client) => catalogsOf(client, true)));
    for (const { database } of this.world.databases) {
      found.set(database, await this.session(instance, database, (client) => catalogsOf(client, false)));
    }
    return found;
  }
}

/** By database; those that all databases share under the name of none. */
type ServerCatalogs = ReadonlyMap<string, Catalogs>;

const snapshotsOf = ({
  targetSnapshots,
  sourceSnapshots,
}: {
  targetSnapshots: Readonly<Record<string, string>>;
  sourceSnapshots?: Readonly<Record<string, string>>;
}) => ({
  targetSnapshots,
  ...(sourceSnapshots ? { sourceSnapshots } : {}),
});
