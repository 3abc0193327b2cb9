import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateAliasCommand, CreateKeyCommand } from '@aws-sdk/client-kms';
import { CreateDBInstanceCommand } from '@aws-sdk/client-rds';
import { CreateSecretCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { Activities } from '../../activities';
import { createActivities } from '../../activities';
import { SnapshotHolder } from '../../activities/compare/snapshot-holder';
import type { Aws, Dependencies } from '../../activities/dependencies';
import { type SecretUse, TAG_USE } from '../../activities/secrets/secret-use';
import type { Plan, PlanInput } from '../../plan/plan';
import { ACTIVITY_INTERCEPTORS } from '../../worker/interceptors';
import { parsedPlan, SMALLEST_PLAN } from './plan';
import { type StartedWatchdog, startWatchdog } from '../../worker/watchdog/start';
import { MASTER, StandIn } from './stand-in';
import { QUIET } from './workflow-lab';

/** The product's activities against an embedded AWS of a test file's own: real dependencies, no workflow. */
export class ActivityLab {
  readonly snapshots = new SnapshotHolder();
  readonly #clients = new Map<string, Aws>();
  /** Where another stand-in answers for a service, by the name that the SDK's environment variables have for it. */
  readonly #elsewhere = new Map<Elsewhere, string>();
  readonly #activities: Activities;
  readonly #watchdogs: StartedWatchdog[] = [];
  #activityCount = 0;
  keyArn = '';

  /** What a worker would give to the activities. */
  readonly dependencies: Dependencies;

  private constructor(readonly standIn: StandIn) {
    this.dependencies = {
      aws: (region) => this.aws(region),
      rdsCaBundle: readFileSync(join(standIn.stateDir, 'rds-combined-ca-bundle.pem'), 'utf8'),
      snapshots: this.snapshots,
      ownTaskQueue: 'holder',
      startWatchdog: () => {
        const watchdog = startWatchdog({
          rdsCaBundle: this.dependencies.rdsCaBundle,
          region: this.standIn.settings().region,
          env: { ...awsEnvironment(this.standIn), ...this.elsewhereEnvironment() },
        });
        this.#watchdogs.push(watchdog);
        return watchdog;
      },
    };
    this.#activities = createActivities(this.dependencies);
  }

  /** Starts AWS with a key, an unencrypted instance `app-db` and the secret of its master user. */
  static async open(engineVersion = '16'): Promise<ActivityLab> {
    const lab = new ActivityLab(await StandIn.start());
    try {
      await lab.prepare(engineVersion);
      return lab;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  private async prepare(engineVersion: string): Promise<void> {
    const { kms, rds } = this.aws();
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({}));
    this.keyArn = KeyMetadata?.Arn ?? '';
    const { target, source } = SMALLEST_PLAN;
    await kms.send(new CreateAliasCommand({ AliasName: target.kmsKeyId, TargetKeyId: KeyMetadata?.KeyId }));
    await rds.send(
      new CreateDBInstanceCommand({
        DBInstanceIdentifier: source.instance,
        Engine: 'postgres',
        EngineVersion: engineVersion,
        DBInstanceClass: 'db.m6g.large',
        AllocatedStorage: 100,
        ...MASTER,
      }),
    );
    await this.secret(source.secret, MASTER.MasterUsername, MASTER.MasterUserPassword);
    await this.standIn.untilInstance(source.instance);
  }

  /** Lets some services be those of another stand-in, from now on. RDS stays here. */
  answerElsewhere(endpoint: string, services: readonly Elsewhere[]): void {
    for (const service of services) this.#elsewhere.set(service, endpoint);
    this.destroyClients();
  }

  private elsewhereEnvironment(): Record<string, string> {
    return Object.fromEntries(
      [...this.#elsewhere].map(([service, endpoint]) => [`AWS_ENDPOINT_URL_${SDK_IDS[service]}`, endpoint]),
    );
  }

  private destroyClients(): void {
    for (const clients of this.#clients.values()) {
      const { region: _region, rdsShowsAfterMs: _rdsShowsAfterMs, ...made } = clients;
      for (const client of Object.values(made)) client.destroy();
    }
    this.#clients.clear();
  }

  /** Clients of a region. */
  aws(region = this.standIn.settings().region): Aws {
    const known = this.#clients.get(region);
    if (known) return known;
    const { standIn } = this;
    const made = {
      region,
      rdsShowsAfterMs: RDS_SHOWS_AFTER_MS,
      rds: standIn.rds({ region, maxAttempts: 3 }),
      kms: standIn.kms(this.#elsewhere.get('kms')),
      secrets: standIn.secrets(this.#elsewhere.get('secrets')),
      ssm: standIn.ssm(this.#elsewhere.get('ssm')),
      ec2: standIn.ec2(),
      iam: standIn.iam(),
      sts: standIn.sts(this.#elsewhere.get('sts')),
      cloudwatch: standIn.cloudwatch(),
      logs: standIn.logs(this.#elsewhere.get('logs')),
      pricing: standIn.pricing(),
      route53: standIn.route53(this.#elsewhere.get('route53')),
      s3: standIn.s3(this.#elsewhere.get('s3')),
    };
    this.#clients.set(region, made);
    return made;
  }

  /** Runs an activity as a worker does, interceptors included. `heartbeatDetails`: of the attempt before. */
  run<Name extends keyof Activities>(
    name: Name,
    input: Parameters<Activities[Name]>[0],
    attempt = 1,
    heartbeatDetails?: unknown,
  ): ReturnType<Activities[Name]> {
    return this.start(name, input, attempt, heartbeatDetails).result;
  }

  /** Starts an activity that the test will cancel. */
  start<Name extends keyof Activities>(
    name: Name,
    input: Parameters<Activities[Name]>[0],
    attempt = 1,
    heartbeatDetails?: unknown,
  ): { result: ReturnType<Activities[Name]>; cancel: () => void } {
    if (attempt === 1) this.#activityCount += 1;
    const activityId = `${name}-${this.#activityCount}`;
    const environment = new MockActivityEnvironment(
      { activityType: name, activityId, attempt, heartbeatDetails },
      {
        logger: QUIET,
        interceptors: [...ACTIVITY_INTERCEPTORS],
      },
    );
    const activity = this.#activities[name] as unknown as (input: unknown) => Promise<unknown>;
    const result = environment.run<[unknown], unknown, typeof activity>(activity, input) as ReturnType<
      Activities[Name]
    >;
    // A test may look at it later than it fails: an attempt that another one has overtaken does so early.
    result.catch(() => undefined);
    return { result, cancel: () => environment.cancel() };
  }

  /** Runs an activity twice in a row, as after a lost answer: the second run must answer what the first one did. */
  async twice<Name extends keyof Activities>(
    name: Name,
    input: Parameters<Activities[Name]>[0],
  ): Promise<Awaited<ReturnType<Activities[Name]>>> {
    const first = await this.run(name, input);
    const second = await this.run(name, input, 2);
    expect(second).toEqual(first);
    return first;
  }

  /** A secret as RDS writes it; made, or given a new value. `use`: what plans may use it for. */
  async secret(name: string, username: string, password: string, use?: SecretUse): Promise<void> {
    await this.value(name, JSON.stringify({ username, password }), use);
  }

  /** A secret of any value; made, or given a new one. */
  async value(name: string, SecretString: string, use?: SecretUse): Promise<void> {
    const { secrets } = this.aws();
    const Tags = use === undefined ? [] : [{ Key: TAG_USE, Value: use }];
    await secrets
      .send(new CreateSecretCommand({ Name: name, SecretString, Tags }))
      .catch(() => secrets.send(new PutSecretValueCommand({ SecretId: name, SecretString })));
  }

  /** Runs statements on an instance as its master user. */
  sql<Row extends object>(instance: string, statement: string, database = 'postgres'): Promise<Row[]> {
    return this.standIn.query<Row>(instance, statement, database);
  }

  async close(): Promise<void> {
    await this.snapshots.releaseAll();
    // One whose pause failed would go on asking a world that is gone.
    for (const watchdog of this.#watchdogs) watchdog.kill();
    this.destroyClients();
    await this.standIn.remove();
  }
}

/** As environment variables of the SDK name them (`AWS_ENDPOINT_URL_<id>`). */
const SDK_IDS = {
  kms: 'KMS',
  secrets: 'SECRETS_MANAGER',
  ssm: 'SSM',
  sts: 'STS',
  logs: 'CLOUDWATCH_LOGS',
  route53: 'ROUTE_53',
  s3: 'S3',
} as const;

/** A service that has nothing to do with the instances of RDS, and can be another stand-in's. */
export type Elsewhere = keyof typeof SDK_IDS;

/** The stand-in of a test runs a thousand times as fast as RDS. */
const RDS_SHOWS_AFTER_MS = 30;

/** What a process of its own has to have in its environment so that its AWS is this one. */
export const awsEnvironment = (standIn: StandIn): NodeJS.ProcessEnv => ({
  ...process.env,
  AWS_ENDPOINT_URL: standIn.endpoint,
  AWS_REGION: standIn.settings().region,
  AWS_ACCESS_KEY_ID: standIn.settings().credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: standIn.settings().credentials.secretAccessKey,
  KEYSHIFT_RDS_SHOWS_AFTER_MS: String(RDS_SHOWS_AFTER_MS),
});

/** The part of an activity's input that says for which migration it works. */
export function migrationRef(
  input: PlanInput = SMALLEST_PLAN,
  id = `m-${randomUUID().slice(0, 8)}`,
): { id: string; naming: 2; plan: Plan } {
  return { id, naming: 2, plan: parsedPlan(input) };
}
