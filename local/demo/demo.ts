import { DescribeKeyCommand } from '@aws-sdk/client-kms';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Aws } from '../app/aws';
import { SAMPLE, SAMPLE_PLAN } from '../app/names';
import { SampleApplication } from '../app/process';
import { holdWorkersToThePolicy, refusedCalls } from '../app/worker-policy';
import { addressOf, createSample, describeInstance, readLogin } from '../app/source';
import { poolerCutover, startSamplePooler } from '../pgbouncer/sample-pooler';
import type { Report } from '../tools/report';
import type { World } from '../world/world';
import { watchForFence } from './fence-watch';
import { MigrationFollower } from './migration';
import { createNightmareGroup, createNightmareReplica, NIGHTMARE_SOURCE } from './nightmare';
import { Overrun } from './overrun';
import { ProgressPrinter, type Progress } from './progress';
import { TemporalCommands } from './temporal-commands';
import { judgeContents, type Contents, type Side } from './verdict/contents';
import { verdictOf, type Verdict } from './verdict/verdict';

export const WORKFLOW_ID = 'encrypt-app-db';

/** The budget of a pause that is made to overrun it. Behind a pooler, clients whose patience ends after 2 s wait for its end. */
const SHORT_BUDGET_MS = { direct: 2_000, pooled: 1_000 } as const;

/** How long the application goes on on the target before it is stopped for the verdict. */
const AFTERWARDS_MS = 5_000;
/** How long it writes on the target before it goes back. */
const BEFORE_ROLLBACK_MS = 20_000;

export interface DemoRun {
  readonly world: World;
  readonly rows: number;
  readonly rate: number;
  readonly report: Report;
  readonly signal: AbortSignal;
  /** Leave the gates to the user. */
  readonly hold?: boolean;
  /** Put PgBouncer between the application and the database. */
  readonly pooler?: boolean;
  /** Let the first pause overrun its budget. */
  readonly abortInPause?: boolean;
  /** Go back to the old source some time after the cutover. */
  readonly rollback?: boolean;
  /** The team uses much of RDS; the world was started with the seed of a nightmare. */
  readonly nightmare?: boolean;
  /** More fields of the plan. */
  readonly plan?: Readonly<Record<string, unknown>>;
  /** Things that tests and chaos do along the way. */
  readonly hooks?: DemoHooks;
}

export interface DemoHooks {
  /** The source is there and filled; nothing writes yet. */
  sampleReady?(aws: Aws): Promise<void>;
  /** The workflow was started. */
  started?(): void;
  /** After each look at the progress; the next look waits for it. */
  looked?(progress: Progress): Promise<void> | void;
  /** The signal for the cutover is out; `turnedOut` resolves when the application has lost its last connection to the source. */
  cutoverApproved?(turnedOut: Promise<void>): Promise<void>;
  /** Before and after the approval of the decommission. */
  beforeFinish?(): Promise<void>;
  finishing?(): Promise<void>;
}

export interface DemoResult {
  readonly verdict: Verdict;
  readonly contents: Contents;
}

/** Makes the sample application's database, moves it while the application writes, and judges what came of it. */
export async function runDemo(run: DemoRun): Promise<DemoResult> {
  const { world, rows, rate, report, signal, hooks } = run;
  const aws = new Aws(world.awsEndpoint, world.region);
  world.onStop('AWS clients', () => aws.destroy());
  if (run.nightmare) await createNightmareGroup(aws);
  await createSample(aws, world.caBundle, { rows, report, ...(run.nightmare ? { more: NIGHTMARE_SOURCE } : {}) });
  if (run.nightmare) await createNightmareReplica(aws, report);
  await holdWorkersToThePolicy(world, aws);
  await hooks?.sampleReady?.(aws);
  const pooler = run.pooler ? await startSamplePooler(world, aws, report) : undefined;
  const notesFile = join(world.root, 'notes.jsonl');
  const app = await SampleApplication.start(world, { notesFile, rate, pooled: pooler !== undefined });
  report(`the application writes to ${SAMPLE.instance}: 8 connections, ${rate} transactions/s`);

  const planFile = join(world.root, 'plan.json');
  const budgetMs = SHORT_BUDGET_MS[pooler ? 'pooled' : 'direct'];
  const cutover = {
    ...(pooler ? poolerCutover(pooler) : SAMPLE_PLAN.cutover),
    ...(run.abortInPause ? { pauseBudgetMs: budgetMs } : {}),
  };
  const plan = { ...SAMPLE_PLAN, cutover, ...run.plan };
  writeFileSync(planFile, `${JSON.stringify(plan, undefined, 2)}\n`);
  const commands = new TemporalCommands(world, WORKFLOW_ID, report);
  const follower = new MigrationFollower(commands, new ProgressPrinter(report), signal);
  const startedAt = Date.now();
  await commands.start(planFile);
  hooks?.started?.();
  report(`Web UI: ${world.uiUrl}/namespaces/default/workflows/${WORKFLOW_ID}`);

  let approvedAt: number | undefined;
  const overrun = run.abortInPause ? new Overrun(aws, world.caBundle, report) : undefined;
  if (overrun) world.onStop('the lock that the pause waits for', () => overrun.end());
  const atLastGate = await follower.until((progress) => progress.gate?.name === 'decommission', {
    async gateOpened(gate, progress) {
      if (run.hold) return false;
      if (gate !== 'cutover') {
        await commands.approve(gate);
        return true;
      }
      await overrun?.gateOpened(progress);
      const turnedOut = hooks?.cutoverApproved ? await watchForFence(aws, world.caBundle) : undefined;
      approvedAt = Date.now();
      await commands.approve(gate);
      if (turnedOut) {
        const out = turnedOut();
        // Of no interest to a hook that does not wait for it.
        out.catch(() => undefined);
        await hooks?.cutoverApproved?.(out);
      }
      return true;
    },
    looked: async (progress) => {
      await overrun?.looked(progress);
      await hooks?.looked?.(progress);
    },
  });
  approvedAt ??= approvalOf(atLastGate, 'cutover') ?? startedAt;

  const { source, target, ...encryption } = await sides(aws, world.caBundle);
  const writeFor = async (ms: number, where: string): Promise<void> => {
    report(`the application goes on for ${ms / 1000} s on ${where}`);
    await new Promise((resolve) => setTimeout(resolve, ms));
    signal.throwIfAborted();
  };
  let contents: Contents;
  if (run.rollback) {
    await writeFor(BEFORE_ROLLBACK_MS, 'the target, then it goes back');
    await hooks?.beforeFinish?.();
    const since = Date.now();
    await commands.rollback('the demo wants to see it');
    await hooks?.finishing?.();
    await follower.until(({ status }) => status === 'rolled-back', {
      // The old source takes its old parameter group back, and may need a reboot for that.
      async gateOpened(gate) {
        // Nobody reboots a database that applications have just come back to.
        await (gate === 'undo-reboot' ? commands.reject(gate) : commands.approve(gate));
        return true;
      },
      looked: (progress) => hooks?.looked?.(progress),
    });
    await follower.completed();
    await writeFor(AFTERWARDS_MS, 'the old source, then both sides are compared');
    await app.stop();
    contents = await judgeContents(target, source, notesFile, { since });
  } else {
    await writeFor(AFTERWARDS_MS, 'the target, then both sides are compared');
    await app.stop();
    contents = await judgeContents(source, target, notesFile);
    await hooks?.beforeFinish?.();
    if (run.hold) report(`gate decommission is open; approve it with:\n${atLastGate.gate?.command}`);
    else await commands.approve('decommission');
    await hooks?.finishing?.();
    await follower.completed();
  }
  const durationSeconds = (Date.now() - startedAt) / 1000;
  const [{ status, historyEvents, historyBytes }, migration] = [await commands.describe(), await follower.report()];
  const abortedPause = overrun?.judge(contents.notes.acknowledgedAt, budgetMs);
  const { cutover: moved, proof } = (run.rollback ? migration.rollback : migration) ?? {};

  const verdict = verdictOf({
    strategy: migration.plan?.strategy ?? 'snapshot-cdc',
    contents,
    durationSeconds,
    source: encryption.sourceFlags,
    target: encryption.targetFlags,
    wantedKeyArn: encryption.wantedKeyArn,
    approvedAt,
    switchedAt: Date.parse(moved?.switchedAt ?? '') || approvedAt,
    workflowCompleted: status === 'COMPLETED' && migration.status === (run.rollback ? 'rolled-back' : 'completed'),
    pooled: pooler !== undefined,
    refused: await refusedCalls(world),
    ...(overrun ? { errorsSince: overrun.approvedAt } : {}),
    ...(abortedPause ? { abortedPause } : {}),
    ...(run.rollback ? { rollbackTimeline: moved?.timeline ?? [] } : {}),
    proof,
    historyEvents,
    historyBytes,
    pauseTimeline: migration.cutover?.timeline ?? [],
  });
  writeFileSync(join(world.root, 'verdict.json'), `${JSON.stringify(verdict, undefined, 2)}\n`);
  return { verdict, contents };
}

/** When a gate was approved, in milliseconds since the epoch. */
function approvalOf(progress: Progress, gate: string): number | undefined {
  const approval = progress.approvals?.findLast((one) => one.gate === gate && one.decision !== 'rejected');
  return approval ? Date.parse(approval.at) : undefined;
}

interface Sides {
  readonly source: Side;
  readonly target: Side;
  readonly sourceFlags: { readonly encrypted: boolean };
  readonly targetFlags: { readonly encrypted: boolean; readonly kmsKeyId: string | null };
  readonly wantedKeyArn: string;
}

/** Both servers as AWS describes them, while both are there. */
async function sides(aws: Aws, caBundle: string): Promise<Sides> {
  const [source, target] = await Promise.all([
    describeInstance(aws, SAMPLE.instance),
    describeInstance(aws, SAMPLE.encryptedInstance),
  ]);
  if (!source || !target) throw new Error(`${source ? SAMPLE.encryptedInstance : SAMPLE.instance} is not there`);
  const login = await readLogin(aws, SAMPLE.masterSecret);
  const { KeyMetadata } = await aws.kms.send(new DescribeKeyCommand({ KeyId: SAMPLE.keyAlias }));
  return {
    source: { server: addressOf(source, caBundle), login },
    target: { server: addressOf(target, caBundle), login },
    sourceFlags: { encrypted: source.StorageEncrypted ?? false },
    targetFlags: { encrypted: target.StorageEncrypted ?? false, kmsKeyId: target.KmsKeyId ?? null },
    wantedKeyArn: KeyMetadata?.Arn ?? '',
  };
}
