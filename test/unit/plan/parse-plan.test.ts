import { ApplicationFailure } from '@temporalio/common';
import { z } from 'zod';
import { stopsSource } from '../../../plan/last-lock';
import { checkPlan, parsePlan, type PlanProblem } from '../../../plan/parse-plan';
import { type PlanInput, planSchema } from '../../../plan/plan';
import { parsedPlan, SMALLEST_PLAN } from '../../support/plan';

function problemsOf(input: unknown): readonly PlanProblem[] {
  const result = checkPlan(input);
  return 'problems' in result ? result.problems : [];
}

function failureOf(input: unknown, migration: string): ApplicationFailure {
  try {
    parsePlan(input, migration);
  } catch (error) {
    if (error instanceof ApplicationFailure) return error;
    throw error;
  }
  throw new Error('the plan was accepted');
}

const { source, target } = SMALLEST_PLAN;

const CUTOVER = {
  pauseBudgetMs: 30_000,
  maxLagBytes: 16_777_216,
  spareRoles: [],
  poolers: [],
  fence: [{ type: 'sql' }],
  traffic: [],
  watchSeconds: 10,
  hooks: { before: [], after: [] },
};

describe('the smallest plan', () => {
  it('has four values; everything else has a default', () => {
    expect(parsedPlan()).toEqual({
      ...SMALLEST_PLAN,
      target: { ...SMALLEST_PLAN.target, mayDiffer: [], replicas: { rebuild: true, names: {} } },
      strategy: 'snapshot-cdc',
      gates: {
        'reboot-source': { approval: true, approvers: 1 },
        cutover: { approval: true, approvers: 1, auto: false },
        rollback: { approval: false, approvers: 1 },
        decommission: { approval: true, approvers: 1 },
        'undo-reboot': { approval: true, approvers: 1 },
      },
      acknowledge: [],
      override: [],
      guard: {
        maxSlotWalKeepMiB: 51_200,
        warnFreeStoragePercent: 25,
        pauseFreeStoragePercent: 15,
        giveUpFreeStoragePercent: 7,
      },
      replicaIdentity: 'require',
      ddl: { mode: 'watch' },
      carry: {
        largeObjects: 'refuse',
        unloggedTables: 'refuse',
        materializedViews: 'refresh',
        subscriptions: 'refuse',
        cronJobs: 'refuse',
        slots: 'leave',
        sequenceMargin: 0,
      },
      cutover: CUTOVER,
      soak: { wayBack: 'replicate', minutes: 0 },
      verify: { beforeCutover: true, workers: 2, dutyPercent: 50, showValues: false },
      keep: { finalSnapshot: true, encryptFinalSnapshot: false, source: false, logGroups: true },
    });
  });

  it('keeps the defaults of whatever a section leaves out', () => {
    const plan = parsedPlan({ ...SMALLEST_PLAN, cutover: { pauseBudgetMs: 5_000 } });
    expect(plan.cutover).toEqual({ ...CUTOVER, pauseBudgetMs: 5_000 });
  });

  it('is the same in the spelling that RDS gives identifiers', () => {
    expect(parsedPlan({ ...SMALLEST_PLAN, source: { ...source, instance: 'App-DB' } })).toEqual(parsedPlan());
  });
});

describe('waivers', () => {
  it('name codes that there are', () => {
    expect(problemsOf({ ...SMALLEST_PLAN, acknowledge: ['rain'] })).toEqual([
      { path: 'acknowledge.0', message: expect.stringContaining('docs/checks.md') as string },
    ]);
  });

  it('can not override what would lose data', () => {
    expect(problemsOf({ ...SMALLEST_PLAN, override: [{ code: 'replica-identity', reason: 'in a hurry' }] })).toEqual([
      { path: 'override.0.code', message: expect.stringContaining('can not be overridden') as string },
    ]);
  });
});

describe('where the report is kept', () => {
  const problemOf = (report: unknown) => problemsOf({ ...SMALLEST_PLAN, report });

  it.each(['s3://audit', 's3://audit-evidence/keyshift', 's3://audit.example/2026/q4/'])('takes %s', (s3) => {
    expect(parsedPlan({ ...SMALLEST_PLAN, report: { s3, file: 'reports/2026' } }).report).toEqual({
      s3,
      file: 'reports/2026',
    });
  });

  it.each(['https://audit', 's3://', 's3://Audit', 's3://audit//x', 's3://audit/a b', 's3://audit/?x'])(
    'refuses %s',
    (s3) => {
      expect(problemOf({ s3 })).toEqual([
        { path: 'report.s3', message: expect.stringContaining('for example s3://') as string },
      ]);
    },
  );

  it.each(['/etc', '../elsewhere', 'a/../../b', '~/reports', 'C:\\reports', '..'])(
    'refuses %s: a plan may not write anywhere it likes',
    (file) => {
      expect(problemOf({ file })).toEqual([
        { path: 'report.file', message: expect.stringContaining('relative') as string },
      ]);
    },
  );

  it('says somewhere, and a key only for S3', () => {
    expect(problemOf({})).toEqual([{ path: 'report', message: expect.stringContaining('give file or s3') as string }]);
    expect(problemOf({ file: 'reports', s3KmsKeyId: 'alias/audit' })).toEqual([
      { path: 'report.s3KmsKeyId', message: 'is of no use without s3' },
    ]);
  });
});

describe('fences and switches', () => {
  const problemOf = (cutover: unknown) => problemsOf({ ...SMALLEST_PLAN, cutover });

  it('need a pooler where they name PgBouncer, and a use for one', () => {
    expect(problemOf({ fence: [{ type: 'pgbouncer' }] })).toEqual([
      { path: 'cutover.fence.0', message: expect.stringContaining('cutover.poolers') as string },
    ]);
    expect(problemOf({ poolers: [{ host: 'pooler', secret: 'admin' }] })).toEqual([
      { path: 'cutover.poolers', message: expect.stringContaining('used by nothing') as string },
    ]);
  });

  it('send requests in the clear only on this machine', () => {
    const hook = (url: string) => ({ traffic: [{ type: 'webhook' as const, url, secret: 'key' }] });
    expect(problemOf(hook('http://flags.example.com/'))).toEqual([
      { path: 'cutover.traffic.0.url', message: 'has to begin with https://' },
    ]);
    expect(parsedPlan({ ...SMALLEST_PLAN, cutover: hook('http://127.0.0.1:8080/') }).cutover.traffic).toHaveLength(1);
  });

  it('stop the source only where nobody needs it after the switch', () => {
    const cutover: PlanInput['cutover'] = { fence: [{ type: 'sql' }, { type: 'stop-instance' }] };
    const soak = { wayBack: 'none' } as const;
    expect(problemsOf({ ...SMALLEST_PLAN, cutover })).toEqual([
      { path: 'cutover.fence.1', message: expect.stringContaining('needs soak.wayBack "none"') as string },
    ]);
    expect(problemsOf({ ...SMALLEST_PLAN, cutover, soak, carry: { slots: 'recreate' } })).toEqual([
      { path: 'cutover.fence.1', message: expect.stringContaining('needs carry.slots "leave"') as string },
    ]);
    expect(stopsSource(parsedPlan({ ...SMALLEST_PLAN, cutover, soak }))).toBe(true);
    expect(stopsSource(parsedPlan({ ...SMALLEST_PLAN, soak }))).toBe(false);
  });

  it('are refused where half of them is missing', () => {
    expect(problemOf({ fence: [{ type: 'rds-proxy', proxy: 'shop' }] })).toEqual([
      { path: 'cutover.fence.0', message: expect.stringContaining('needs the switch') as string },
    ]);
  });
});

describe('a plan with mistakes', () => {
  it.each([
    ['nothing', undefined],
    ['a text', 'source: app-db'],
    ['a list', []],
    ['null', null],
  ])('is refused as a whole when it is %s', (_, input) => {
    expect(problemsOf(input)).toEqual([
      { path: '(plan)', message: expect.stringContaining('give an object') as string },
    ]);
  });

  it('names every mistake at once, each with its path and what to do', () => {
    const problems = problemsOf({
      source: { instance: '1db', region: 'Frankfurt' },
      target: { instance: 'app-db-encrypted', kmsKeyId: '', instanceClass: 'm6g.large' },
      strategy: 'dms',
      databases: [],
      gates: { cutover: { approval: 'yes' } },
      guard: { maxSlotWalKeepMiB: 1 },
      cutover: { pauseBudgetMs: 999, traffic: [{ type: 'dns', name: 'x' }] },
    });
    expect(problems.map(({ path }) => path).sort()).toEqual(
      [
        'source.instance',
        'source.secret',
        'source.region',
        'target.kmsKeyId',
        'target.instanceClass',
        'strategy',
        'databases',
        'gates.cutover.approval',
        'guard.maxSlotWalKeepMiB',
        'cutover.pauseBudgetMs',
        'cutover.traffic.0.type',
      ].sort(),
    );
    expect(Object.fromEntries(problems.map(({ path, message }) => [path, message]))).toMatchObject({
      'source.instance': expect.stringContaining('1-63 letters, digits and hyphens') as string,
      'source.secret': 'is missing: give a text',
      'target.kmsKeyId': expect.stringContaining('the KMS key') as string,
      strategy: 'is not a strategy that this version has: snapshot-cdc',
      'gates.cutover.approval': 'has the wrong type: give true or false',
      'cutover.pauseBudgetMs': 'is below 1000 ms',
    });
  });

  it('says which keys are not known, wherever they are', () => {
    expect(
      problemsOf({ source: { ...source, pasword: 'x' }, target, cutover: { pauseBudget: 1 }, comment: 'x', note: 1 }),
    ).toEqual(
      expect.arrayContaining([
        { path: 'source', message: 'is not known: remove "pasword"' },
        { path: 'cutover', message: 'is not known: remove "pauseBudget"' },
        { path: '(plan)', message: 'is not known: remove "comment", "note"' },
      ]),
    );
  });

  it.each([
    ['a text for a number', { cutover: { maxLagBytes: '16' } }, 'cutover.maxLagBytes'],
    ['a number for a text', { source: { ...source, secret: 5 } }, 'source.secret'],
    ['a text for a list', { databases: 'shop' }, 'databases'],
    ['a text for a section', { keep: 'all' }, 'keep'],
    ['half a byte', { cutover: { maxLagBytes: 2_048.5 } }, 'cutover.maxLagBytes'],
    ['a pause beyond ten minutes', { cutover: { pauseBudgetMs: 600_001 } }, 'cutover.pauseBudgetMs'],
    ['an empty database name', { databases: ['shop', ''] }, 'databases.1'],
    ['a secret without a name', { cutover: { traffic: [{ type: 'secrets-manager' }] } }, 'cutover.traffic.0.secret'],
  ])('is refused for %s', (_, change, path) => {
    expect(problemsOf({ ...SMALLEST_PLAN, ...change }).map((problem) => problem.path)).toEqual([path]);
  });

  it.each(['-app', 'app-', 'app--db', 'app_db', 'a'.repeat(64), ''])(
    'is refused for the instance name "%s"',
    (name) => {
      expect(problemsOf({ source, target: { ...target, instance: name } })[0]?.path).toBe('target.instance');
    },
  );

  it.each([source.instance, source.instance.toUpperCase()])(
    'is refused when the target is the source (%s)',
    (instance) => {
      expect(problemsOf({ source, target: { ...target, instance } })).toEqual([
        { path: 'target.instance', message: expect.stringContaining('the source itself') as string },
      ]);
    },
  );

  it('names the target that is the source along with the other mistakes', () => {
    const paths = problemsOf({ source, target: { ...target, instance: source.instance, kmsKeyId: '' }, notes: 1 }).map(
      ({ path }) => path,
    );
    expect(paths.sort()).toEqual(['(plan)', 'target.instance', 'target.kmsKeyId']);
  });
});

describe('parsePlan', () => {
  it('throws one final failure that lists all mistakes, that of the migration id among them', () => {
    const failure = failureOf({ source: {}, target }, 'Encrypt_DB');
    expect(failure).toMatchObject({ type: 'InvalidPlan', nonRetryable: true });
    expect(failure.message).toMatch(/^The plan has 3 mistakes; nothing was touched:\n/);
    for (const path of ['source.instance', 'source.secret', '(workflow id)']) {
      expect(failure.message).toContain(`  ${path}: `);
    }
    expect(failure.details?.[0]).toHaveLength(3);
  });

  it('speaks of one mistake in the singular', () => {
    expect(failureOf({ source: { instance: 'app-db' }, target }, 'encrypt').message).toMatch(/has 1 mistake;/);
  });

  it.each(['a', 'encrypt-app-db', `a${'0'.repeat(40)}`])('takes the migration id %s', (id) => {
    expect(parsePlan(SMALLEST_PLAN, id)).toEqual(parsedPlan());
  });

  it.each(['', '1a', '-a', 'A', 'a_b', 'a b', `a${'0'.repeat(41)}`, 'a\n'])('refuses the migration id "%s"', (id) => {
    expect(failureOf(SMALLEST_PLAN, id).message).toContain('(workflow id)');
  });
});

describe('the plan as JSON Schema', () => {
  const schema = z.toJSONSchema(planSchema, { io: 'input' });

  it('can be printed, and asks for no more than the smallest plan has', () => {
    expect(JSON.parse(JSON.stringify(schema))).toMatchObject({
      type: 'object',
      required: ['source', 'target'],
      additionalProperties: false,
      properties: {
        source: { required: ['instance', 'secret'] },
        target: { required: ['instance', 'kmsKeyId'] },
        cutover: { properties: { pauseBudgetMs: { default: 30_000, minimum: 1_000, maximum: 600_000 } } },
      },
    });
  });
});
