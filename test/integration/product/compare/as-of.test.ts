import type { Proof } from '../../../../plan/report';
import { PutParameterCommand } from '@aws-sdk/client-ssm';
import type { ApplicationFailure } from '@temporalio/common';
import type { CutOverResult } from '../../../../activities/cutover/cut-over-input';
import { waitFor } from '../../../../local/world/wait-for';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import {
  captureAndClone,
  createApplication,
  DATABASES,
  fenceOf,
  type Steps,
  subscribe,
} from '../../../support/migration-steps';
import { SMALLEST_PLAN } from '../../../support/plan';

const TARGET = 'app-db-encrypted';
const PARAMETER = '/app/database';
const ref = migrationRef({
  ...SMALLEST_PLAN,
  databases: [...DATABASES],
  verify: { dutyPercent: 100 },
  cutover: { traffic: [{ type: 'ssm-parameter', name: PARAMETER }] },
});
const input = { ...ref, databases: DATABASES };
type Switched = Extract<CutOverResult, { switched: true }>;

/** Tables that deployments change after the switch, each with ten rows; and names that read alike when they are joined. */
const SCHEMA = `
  CREATE TYPE mood AS ENUM ('sad', 'glad');
  ${[
    'kept',
    'added',
    'droppedcolumn',
    'renamedcolumn',
    'renamed',
    'dropped',
    'retyped',
    'widened',
    'emptied',
    'indexed',
    'vacuumed',
    'swapped',
    'other',
    'wrong',
  ]
    .map(
      (name) =>
        `CREATE TABLE ${name} (id int PRIMARY KEY, note varchar(100), n int); INSERT INTO ${name} SELECT i, '${name} ' || i, i FROM generate_series(1, 10) AS i;`,
    )
    .join('\n')}
  CREATE TABLE moods (id int PRIMARY KEY, m mood); INSERT INTO moods SELECT i, 'sad' FROM generate_series(1, 10) AS i;
  CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
  CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100); INSERT INTO parts VALUES (1), (2);
  CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY); CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM kept;
  CREATE SCHEMA "a.b"; CREATE SCHEMA a;
  CREATE TABLE "a.b".c (id serial PRIMARY KEY, v text); CREATE TABLE a."b.c" (id serial PRIMARY KEY, v text);
  INSERT INTO "a.b".c (v) SELECT 'x' FROM generate_series(1, 100); INSERT INTO a."b.c" (v) SELECT 'y' FROM generate_series(1, 200);
  GRANT USAGE ON SCHEMA a, "a.b" TO app; GRANT ALL ON ALL TABLES IN SCHEMA public, a, "a.b" TO app`;

let lab: ActivityLab;
let steps: Steps;
let cutover: Switched;
const onTarget = (statement: string) => lab.sql<Record<string, string>>(TARGET, statement, 'shop');
const onSource = (statement: string) => lab.sql<Record<string, string>>('app-db', statement, 'shop');
const prove = (attempt: number) => {
  const { targetSnapshots, sourceSnapshots } = cutover;
  return lab.run(
    'proveContents',
    { ...input, targetSnapshots, ...(sourceSnapshots ? { sourceSnapshots } : {}) },
    attempt,
  );
};
const failureOf = (running: Promise<unknown>): Promise<ApplicationFailure> =>
  running.then(
    () => {
      throw new Error('found nothing');
    },
    (error: unknown) => error as ApplicationFailure,
  );
const unprovenOf = ({ notProven = [] }: Proof) =>
  Object.fromEntries(notProven.map(({ table, columns, why }) => [table, `${columns?.join() ?? '*'}: ${why}`]));

/** What a deployment does to the target after the switch. */
const DEPLOY = [
  "ALTER TABLE added ADD COLUMN extra text DEFAULT 'new'",
  'ALTER TABLE droppedcolumn DROP COLUMN note',
  'ALTER TABLE renamedcolumn RENAME COLUMN note TO remark',
  'ALTER TABLE renamed RENAME TO newname',
  'DROP TABLE dropped',
  'ALTER TABLE retyped ALTER COLUMN n TYPE bigint',
  'ALTER TABLE widened ALTER COLUMN note TYPE text',
  'TRUNCATE emptied',
  'CREATE INDEX indexed_note ON indexed (note)',
  'VACUUM FULL vacuumed',
  `ALTER TABLE swapped RENAME TO swapped_old`,
  `CREATE TABLE swapped (LIKE swapped_old INCLUDING ALL); INSERT INTO swapped SELECT id + 100, note, n FROM swapped_old`,
  `ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'`,
  'CREATE TABLE brandnew (id int PRIMARY KEY); INSERT INTO brandnew VALUES (1)',
];

beforeAll(async () => {
  lab = await ActivityLab.open();
  await createApplication(lab);
  const { Endpoint } = await lab.standIn.instance('app-db');
  const Value = `${Endpoint?.Address}:${Endpoint?.Port}`;
  await lab.aws().ssm.send(new PutParameterCommand({ Name: PARAMETER, Type: 'String', Value }));
  await onSource(SCHEMA);
  steps = await captureAndClone(lab, ref);
  await subscribe(lab, steps);
  await lab.run('prepareWayBack', input);
});
afterAll(() => lab?.close());

describe('tables whose names read alike when they are joined by a dot', () => {
  it('are both compared while both sides live, and told apart', async () => {
    await onTarget(`DELETE FROM a."b.c" WHERE id = 7; UPDATE "a.b".c SET v = 'z' WHERE id = 8`);
    const failure = await failureOf(lab.run('verifyContents', input));
    expect(failure.message).toContain('shop a."b.c": 1 only on the source');
    expect(failure.message).toContain('shop "a.b".c: 0 only on the source, 0 only on the target, 1 different');
    await onTarget(`INSERT INTO a."b.c" VALUES (7, 'y'); UPDATE "a.b".c SET v = 'x' WHERE id = 8`);
    await expect(lab.run('verifyContents', input)).resolves.toMatchObject({ differences: [] });
  });

  it('are neither of them taken for done by what an earlier version wrote into a heartbeat', async () => {
    await onTarget(`DELETE FROM a."b.c" WHERE id = 7`);
    const resume = {
      databases: ['ledger'],
      upTo: 'public.zzz',
      tables: 9,
      rows: 9,
      undecided: 0,
      changedSince: 0,
      goneSince: 0,
      differences: [],
      open: {},
    };
    const failure = await failureOf(lab.run('verifyContents', input, 2, { resume }));
    expect(failure.message).toContain('a."b.c": 1 only on the source');
    await onTarget(`INSERT INTO a."b.c" VALUES (7, 'y')`);
  });
});

/** Row 10 is gone from both sides, and in no count of a proof by row versions. */
const WRITES = `UPDATE kept SET note = 'changed' WHERE id <= 3; INSERT INTO kept VALUES (11, 'new', 11); DELETE FROM kept WHERE id = 10`;
let exact: Proof;

describe('DDL on the target between the pause and the proof, and writes that the way back has brought to the source', () => {
  it('are no obstacle to the proof under the snapshots: it says what can not be read any more, and why', async () => {
    await lab.run('preparePause', input);
    const result = await lab.run('cutOver', { ...input, fence: await fenceOf(lab, steps) });
    if (!result.switched) throw new Error(result.reason);
    cutover = result;
    expect(Object.keys(cutover.sourceSnapshots ?? {})).toEqual([...DATABASES]);
    if (!cutover.wayBackFrom) throw new Error('no way back');
    await lab.run('startWayBack', { ...input, from: cutover.wayBackFrom });
    await onTarget(WRITES);
    await waitFor('the way back has brought it', async () => {
      const rows = await onSource(`SELECT id FROM kept WHERE id IN (10, 11)`);
      return rows.length === 1 ? true : undefined;
    });
    for (const statement of DEPLOY) await onTarget(statement);
    const proof = await prove(1);
    exact = proof;
    expect(proof).toMatchObject({ method: 'snapshot', differences: [], changedSince: 0, sequencesBehind: [] });
    expect(unprovenOf(proof)).toEqual({
      dropped: '*: it was dropped on the target since',
      droppedcolumn: 'note: it was dropped on the target since',
      retyped: expect.stringContaining('written anew on the target since') as string,
      emptied: expect.stringMatching(/emptied or written anew on the (source and the )?target since/) as string,
      moods: 'm: the definition of its type was changed on the target since',
    });
    expect(proof.notProvenTables).toBe(5);
    const since = (proof.ddlSince ?? []).join('\n');
    for (const text of [
      'public.renamed: target: is public.newname now',
      'column note is remark now',
      'column extra added',
      'public.brandnew is new',
      'public.swapped is new',
    ]) {
      expect(since).toContain(text);
    }
    // 14 of ten rows, moods, a partition, both of the alike; `orders` and `events` of two databases.
    expect(proof.coverage?.counted).toMatchObject({
      tables: 17 + 4,
      partitions: 1,
      'partitioned tables': 1,
      'unlogged tables': 1,
      'materialized views': 1,
    });
    expect(proof.coverage?.compared).toEqual({ tables: 17 + 4 - 3, partitions: 1 });
    expect(proof.coverage?.notCompared.map(({ kind }) => kind).sort()).toEqual([
      'materialized views',
      'partitioned tables',
      'unlogged tables',
    ]);
  });

  it('and by row versions, when the snapshots are lost: what was written since counts as not compared, never as identical', async () => {
    const proof = await prove(2);
    expect(proof).toMatchObject({ method: 'row-versions', differences: [], sequencesBehind: [] });
    expect(unprovenOf(proof)).toMatchObject({
      dropped: expect.stringContaining('no such table now') as string,
      droppedcolumn: 'note: it was dropped on the target since',
      emptied: expect.stringContaining('emptied or written anew') as string,
      retyped: expect.stringContaining('emptied or written anew') as string,
    });
    // Of `kept`, three rows were updated, one came, one went.
    expect(proof).toMatchObject({ changedSince: 4, goneSince: 0 });
    // The way back may have brought the ten rows of the new `swapped` into the source's table of that name.
    expect([4, 14]).toContain(proof.sourceChangedSince);
    expect(exact.rows - proof.rows).toBe(4);
  });

  it('hides no row that was wrong at the cutover, without the note of its snapshot as well', async () => {
    // As a row that was written on the target before the cutover, and not by replication.
    await onSource(`SET session_replication_role = replica; UPDATE other SET note = 'lost update' WHERE id = 5`);
    const { targetSnapshots } = cutover;
    const failure = await failureOf(lab.run('proveContents', { ...input, targetSnapshots }, 3));
    expect(failure.type).toBe('ContentsDiffer');
    expect(failure.message).toContain('shop public.other: 0 only on the source, 0 only on the target, 1 different');
  });
});
