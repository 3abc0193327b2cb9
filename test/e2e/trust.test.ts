import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type BucketLocationConstraint, CreateBucketCommand, GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { ListSecretsCommand } from '@aws-sdk/client-secrets-manager';
import { Aws } from '../../local/app/aws';
import { SAMPLE } from '../../local/app/names';
import { REPORT_BUCKET } from '../../local/app/worker-policy';
import { runDemo } from '../../local/demo/demo';
import type { World } from '../../local/world/world';
import { closed, published } from '../support/report-schema';
import { keyshift, MIGRATION } from './support/migration';
import { downloadLog, logEverything, statementsOfKeyshift } from './support/server-log';
import { inWorld } from './support/worlds';

/** What the people who run this read for themselves: every statement on their servers, and where their secrets went. */

/**
 * What RDS refuses to its master user (facts of RDS: no superuser; files, configuration and password hashes of the server
 * are out of reach). The embedded master user is none either; this also finds what is tried, refused, and taken silently.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.rds_superuser.html
 */
const REFUSED_BY_RDS = [
  /\bALTER\s+SYSTEM\b/i,
  // The board reads it where has_table_privilege says that it may, which RDS never says.
  /(?<!')\bpg_authid\b(?! WHERE \(rolname !~ '\^pg_')|\bpg_shadow\b/i,
  /\bpg_read_(binary_)?file\b|\bpg_ls_\w*dir\b|\bpg_stat_file\b|\bpg_file_\w+/i,
  /\bpg_reload_conf\b|\bpg_rotate_logfile\b|\bpg_promote\b|\bpg_switch_wal\b|\bpg_backup_start\b|\bpg_start_backup\b/i,
  /\bCOPY\b[^;]*\b(FROM|TO)\s+(PROGRAM\b|')/i,
  // Not inside a query: the look for drift has such words in its texts.
  /^\s*(?!SELECT\b|WITH\b)(?:[^']*;)?\s*(CREATE|ALTER)\s+ROLE\b[^;]*\b(?<!NO)(SUPERUSER|REPLICATION|BYPASSRLS)\b/i,
  /\bSET\s+(SESSION\s+AUTHORIZATION|log_\w+|lc_messages)\b/i,
  /\b(CREATE|DROP)\s+(TABLESPACE|LANGUAGE)\b/i,
  /\blo_(import|export)\b/i,
  /\bUPDATE\s+(pg_catalog\.)?pg_\w+/i,
  /\bDELETE\s+FROM\s+(pg_catalog\.)?pg_\w+/i,
];

interface Seen {
  readonly secrets: Map<string, string>;
  readonly commandLines: Set<string>;
}

/** Every secret that is in play right now, by its name. */
async function noteSecrets(aws: Aws, secrets: Map<string, string>): Promise<void> {
  const { SecretList } = await aws.secrets.send(new ListSecretsCommand({}));
  for (const { Name } of SecretList ?? []) {
    const { SecretString } = await aws.secrets
      .send(new GetSecretValueCommand({ SecretId: Name }))
      .catch(() => ({ SecretString: undefined }));
    const { password } = JSON.parse(SecretString ?? '{}') as { password?: string };
    if (Name && password) secrets.set(Name, password);
  }
}

/** What `ps` would show of every process, with its environment left out (that is private to its user). */
function noteCommandLines(seen: Set<string>): void {
  if (process.platform !== 'linux') return;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      seen.add(readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));
    } catch {
      // It has ended meanwhile.
    }
  }
}

function filesIn(folder: string): Map<string, string> {
  return new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

/** Where the report is kept: a folder below the working directory of the worker. */
const REPORTS = join('.keyshift', 'test-trust-reports');
afterAll(() => rmSync(REPORTS, { recursive: true, force: true }));

interface Observed extends Seen {
  readonly logs: Map<string, string>;
  /** Names and texts of the objects in the bucket of the plan. */
  readonly kept: readonly (readonly [string, string])[];
}

/** One whole migration with every statement logged on both servers. */
async function observedMigration(world: World, signal: AbortSignal): Promise<Observed> {
  const seen: Seen = { secrets: new Map(), commandLines: new Set() };
  const aws = new Aws(world.awsEndpoint, world.region);
  const s3 = new S3Client({
    endpoint: world.awsEndpoint,
    region: world.region,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    forcePathStyle: true,
  });
  try {
    await world.startWorker();
    const { verdict } = await runDemo({
      world,
      rows: 1_000,
      rate: 60,
      report: () => undefined,
      signal,
      plan: {
        keep: { source: true },
        report: { file: REPORTS, s3: `s3://${REPORT_BUCKET}/deep` },
      },
      hooks: {
        async sampleReady() {
          const LocationConstraint = world.region as BucketLocationConstraint;
          await s3.send(
            new CreateBucketCommand({ Bucket: REPORT_BUCKET, CreateBucketConfiguration: { LocationConstraint } }),
          );
          await logEverything(aws, SAMPLE.instance);
        },
        async looked() {
          await noteSecrets(aws, seen.secrets);
          noteCommandLines(seen.commandLines);
        },
      },
    });
    expect(verdict.passed).toBe(true);
    const logs = new Map([
      ['log of the source', await downloadLog(aws, SAMPLE.instance)],
      ['log of the target', await downloadLog(aws, SAMPLE.encryptedInstance)],
    ]);
    const kept = await Promise.all(
      [`${MIGRATION}.json`, `${MIGRATION}.html`].map(async (name) => {
        const { Body } = await s3.send(new GetObjectCommand({ Bucket: REPORT_BUCKET, Key: `deep/${name}` }));
        return [name, (await Body?.transformToString('utf8')) ?? ''] as const;
      }),
    );
    return { ...seen, logs, kept };
  } finally {
    aws.destroy();
    s3.destroy();
  }
}

test('no statement that RDS would refuse, and no secret in any history, log, report or process list', () =>
  inWorld('trust', async (world, signal) => {
    const { secrets, commandLines, logs, kept } = await observedMigration(world, signal);

    const statements = [...logs.values()].flatMap(statementsOfKeyshift);
    expect(statements.length).toBeGreaterThan(100);
    // The log is what we think it is: the statements that make a migration are in it.
    for (const expected of [
      'CREATE PUBLICATION',
      'pg_create_logical_replication_slot',
      'pg_replication_origin_advance',
      'NOLOGIN',
    ]) {
      expect(statements.some((statement) => statement.includes(expected))).toBe(true);
    }
    expect(statements.filter((statement) => REFUSED_BY_RDS.some((pattern) => pattern.test(statement)))).toEqual([]);

    expect([...secrets.keys()].sort()).toEqual(['app-db-app', 'app-db-master', `keyshift-${MIGRATION}-replication`]);
    const history = await world.temporal(['workflow', 'show', '--workflow-id', MIGRATION, '-o', 'json']);
    const report = await keyshift(world, '--json', 'report', MIGRATION);
    expect(report.exitCode).toBe(0);
    expect(published(JSON.parse(report.stdout))).toEqual([]);
    expect(closed(JSON.parse(report.stdout))).toEqual([]);
    const page = await keyshift(world, 'report', MIGRATION, '--html');
    expect(page.stdout).toContain('Completed');
    const copies = filesIn(REPORTS);
    expect([...copies.keys()].sort()).toEqual([`${MIGRATION}.html`, `${MIGRATION}.json`]);
    expect(new Map(kept)).toEqual(copies);
    expect(published(JSON.parse(copies.get(`${MIGRATION}.json`) ?? ''))).toEqual([]);
    const places = new Map([
      ...filesIn(world.logs),
      // With log_statement=all PostgreSQL itself writes bound parameters down; see docs/operating.md.
      ...[...logs].map(([name, text]) => [name, withoutParameters(text)] as const),
      ['history', history.stdout],
      ['report', report.stdout],
      ['page of the report', page.stdout],
      ...copies,
      ['process list', [...commandLines].join('\n')],
    ]);
    for (const [name, secret] of secrets) {
      for (const [place, text] of places) {
        expect({ secret: name, place, found: text.includes(secret) }).toEqual({ secret: name, place, found: false });
      }
    }
  }));

/** The server's log without `DETAIL:  parameters: ...`. */
function withoutParameters(log: string): string {
  return log
    .split(/\n(?=<)/)
    .filter((entry) => !/^<[^>]*> DETAIL: {2}[Pp]arameters: /.test(entry))
    .join('\n');
}
