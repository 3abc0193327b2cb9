import { renderReport } from '../../../client/render-report';
import { newProgress } from '../../../plan/progress';
import type { Report } from '../../../plan/report';
import { parsedPlan } from '../../support/plan';

const bare = (): Report => ({
  migration: 'encrypt-app-db',
  status: 'aborted',
  plan: parsedPlan(),
  progress: newProgress('encrypt-app-db'),
  overridden: [],
  checks: [],
  stays: [],
});

const complete = (): Report => {
  const report: Report = {
    ...bare(),
    status: 'completed',
    source: {
      instance: 'app-db',
      resourceId: 'db-X',
      engineVersion: '16.4',
      address: 'app-db.x',
      port: 5432,
      parameterGroup: 'default.postgres16',
      encrypted: false,
      masterUser: 'postgres',
      databases: ['shop'],
      tables: 3,
      sizeBytes: 1_000,
      targetKmsKeyArn: 'arn:key',
    },
    position: {
      lsn: '0/5000',
      evidence: [{ kind: 'seed-function', exactly: '0/5000', found: 'logical_seed_lsn() = 0/5000' }],
      silent: [{ kind: 'walinspect', why: 'not available' }],
    },
    settings: {
      instances: [
        {
          instance: 'new',
          like: 'app-db',
          compared: 54,
          planned: ['MultiAZ: false becomes true'],
          differences: [],
          notCompared: [{ field: 'FutureSetting', wanted: 'on', found: 'off' }],
        },
      ],
      roleSettings: 7,
      replicas: [],
    },
    verify: { tables: 3, rows: 100, differences: [], undecided: 2, durationMs: 5 },
    cutover: {
      timeline: [
        { step: 'fence', ms: 12.3 },
        { step: 'drain', ms: 4 },
      ],
      pauseMs: 250,
      switchedAt: '2026-11-21T10:00:00Z',
      fenceLsn: '0/6000',
      fencedRoles: ['app'],
      sequences: 4,
      traffic: [{ what: 'SSM parameter /db', from: 'app-db.x:5432', to: 'new.x:5432' }],
      attempts: 1,
      targetSnapshots: {},
    },
    proof: {
      method: 'snapshot',
      tables: 3,
      rows: 120,
      differences: [],
      undecided: 0,
      changedSince: 0,
      goneSince: 0,
      durationMs: 5,
      provenAt: '2026-11-21T10:00:06Z',
      inventory: { tables: { source: 3, target: 3 }, indexes: { source: 4, target: 5 } },
      sequencesBehind: ['app s'],
    },
    stays: [{ what: 'target', name: 'app-db-encrypted', why: 'the new home' }],
  };
  report.progress.approvals.push({
    gate: 'cutover',
    by: 'anna',
    comment: 'go',
    at: '2026-11-21T09:59:00Z',
    decision: 'approved',
  });
  return report;
};

describe('the report as text', () => {
  it('says what was done, when, approved by whom, proven how, and what stays', () => {
    const text = renderReport(complete());
    for (const line of [
      'Migration encrypt-app-db: completed',
      'app-db was moved to the encrypted app-db-encrypted',
      'Before  app-db, PostgreSQL 16.4, not encrypted',
      'After   app-db-encrypted, PostgreSQL 16.4, encrypted under arn:key',
      'Old instance: app-db: deleted',
      'Position 0/5000',
      '  seed-function: logical_seed_lsn() = 0/5000',
      '  walinspect: not asked or silent: not available',
      'Cutover at 2026-11-21T10:00:00Z: writes stopped for 250 ms',
      '  fence                12.3 ms',
      '  fence at 0/6000; 4 sequences; roles locked out of the source: app',
      '  SSM parameter /db: app-db.x:5432 -> new.x:5432',
      'Compared while live: 100 rows of 3 tables agree, 2 undecided',
      'Proven as of the cutover: 120 rows in 3 tables, identical, proven in 6.0 s after the cutover (under the snapshots of the pause)',
      '  source and target have 3 tables, 4 AND 5 INDEXES',
      '  sequences behind: app s',
      '  2026-11-21T09:59:00Z cutover approved by anna: go',
      '  target app-db-encrypted: the new home',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
  });

  it('says what the plan let pass, and why', () => {
    const report = {
      ...bare(),
      plan: { ...parsedPlan(), acknowledge: ['fence-roles'] },
      checks: [
        { code: 'quota', level: 'ok', message: 'enough' },
        { code: 'fence-roles', level: 'warn', message: 'the master user is connected' },
        { code: 'source-capacity', level: 'block', message: 'too few slots' },
      ],
      overridden: [{ code: 'source-capacity', reason: 'raised at the reboot' }],
    } satisfies Report;
    expect(renderReport(report)).toContain(
      [
        'Let pass by the plan',
        '  source-capacity overridden: too few slots',
        '    because: raised at the reboot',
        '  fence-roles acknowledged: the master user is connected',
      ].join('\n'),
    );
  });

  it('says what a proof by row versions could not compare', () => {
    const report = complete();
    if (report.proof)
      report.proof = { ...report.proof, method: 'row-versions', tablesBySnapshot: 2, changedSince: 7, goneSince: 3 };
    const text = renderReport(report);
    expect(text).toContain(
      "by row versions, 2 tables under the snapshots of the pause; 7 rows written and 3 deleted since can't be compared",
    );
  });

  it('says which rows are equal, but not identical', () => {
    const report = complete();
    const equalRows = [{ database: 'shop', table: 'public.prices', rows: 3 }];
    if (report.proof) report.proof = { ...report.proof, equalRows };
    const text = renderReport(report);
    expect(text).toContain('identical but for 3 that are equal, not identical, proven in 6.0 s');
    expect(text).toContain(
      '  rows equal, not identical (1.0 and 1.00), in tables with REPLICA IDENTITY FULL and no key: shop public.prices 3',
    );
  });

  it('says how many tables the catalog counts, what was not compared, and what could not be proven, with the reasons', () => {
    const report = complete();
    if (report.proof)
      report.proof = {
        ...report.proof,
        coverage: {
          counted: { tables: 7, partitions: 2, 'unlogged tables': 1 },
          compared: { tables: 6, partitions: 2 },
          notCompared: [{ kind: 'unlogged tables', count: 1, why: 'replication has none' }],
        },
        notProven: [{ database: 'shop', schema: 'a.b', table: 'c', why: 'it was dropped on the target since' }],
        notProvenTables: 12,
        ddlSince: ['shop: public.x: target: column y added'],
        ddlChanges: 1,
        sourceChangedSince: 5,
        method: 'row-versions',
      };
    const text = renderReport(report);
    expect(text).toContain('12 NOT PROVEN');
    expect(text).toContain(
      'compared 6 of 7 tables and 2 of 2 partitions that the catalog counts; 12 of them in part or not at all; not compared: 1 unlogged tables (replication has none)',
    );
    expect(text).toContain('NOT PROVEN: shop "a.b"."c": it was dropped on the target since');
    expect(text).toContain('NOT PROVEN: and 11 more');
    expect(text).toContain('definitions changed since the cutover (1): shop: public.x: target: column y added');
    expect(text).toContain('the way back has written 5 rows of the source, and what it deleted there is in no count');
  });

  it('of a migration that was aborted early leaves out what did not happen', () => {
    expect(renderReport(bare())).toBe(
      [
        'Migration encrypt-app-db: aborted',
        'app-db was not moved to app-db-encrypted: the migration was aborted',
        'Traffic never left app-db and is there as before.',
      ].join('\n'),
    );
  });
});
