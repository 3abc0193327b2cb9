import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CreateKeyCommand } from '@aws-sdk/client-kms';
import { CreateBucketCommand, GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { ApplicationFailure } from '@temporalio/common';
import { classifyError } from '../../../../activities/classify-error';
import type { Dependencies } from '../../../../activities/dependencies';
import { writeReport, type WrittenReport } from '../../../../activities/evidence/write-report';
import { renderPage } from '../../../../evidence/page';
import type { PlanInput } from '../../../../plan/plan';
import type { Report } from '../../../../plan/report';
import { migrationRef } from '../../../support/activity-lab';
import { SMALLEST_PLAN } from '../../../support/plan';
import { StandIn } from '../../../support/stand-in';
import { recordedReport } from '../../../support/reports';

const folder = join('.keyshift', `test-report-${randomUUID().slice(0, 8)}`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const dependencies = { aws: () => ({}) } as unknown as Dependencies;
const report = recordedReport();

/** The same migration id, started at another time. */
const later = (): Report => {
  const copy = recordedReport();
  const [first] = copy.progress.steps;
  if (first) first.startedAt = '2027-01-02T03:04:05.678Z';
  return copy;
};

const write = (where: NonNullable<PlanInput['report']>, what = report, deps = dependencies): Promise<WrittenReport[]> =>
  writeReport(deps, { ...migrationRef({ ...SMALLEST_PLAN, report: where }, what.migration), report: what });

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('a folder', () => {
  test('gets the report as JSON and as a page, whole, and says what is in them; twice is once', async () => {
    const file = join(folder, 'new', 'deep');
    const kept = await write({ file });
    expect(kept.map(({ address }) => address)).toEqual([
      resolve(file, 'encrypt-app-db.json'),
      resolve(file, 'encrypt-app-db.html'),
    ]);
    const [json = '', html = ''] = kept.map(({ address }) => readFileSync(address, 'utf8'));
    expect(JSON.parse(json)).toEqual(report);
    expect(html).toBe(renderPage(report));
    expect(kept.map((one) => one.sha256)).toEqual([sha256(json), sha256(html)]);
    await expect(write({ file })).resolves.toEqual(kept);
    expect(readdirSync(file).sort()).toEqual(['encrypt-app-db.html', 'encrypt-app-db.json']);
  });

  test('keeps the report of an earlier migration of that id, and what an attempt of the same one has left is written anew', async () => {
    const file = join(folder, 'twice');
    const [first] = await write({ file });
    const [second] = await write({ file }, later());
    expect(second?.address).toBe(resolve(file, 'encrypt-app-db-20270102T030405678Z.json'));
    expect(JSON.parse(readFileSync(first?.address ?? '', 'utf8'))).toEqual(report);
    // The same migration, parked and retried: it has more to say.
    const more = later();
    more.progress.notices.push({ at: '2027-01-03T00:00:00.000Z', text: 'retry requested by ada' });
    await expect(write({ file }, more)).resolves.toMatchObject([{ address: second?.address }, {}]);
    expect(readdirSync(file).length).toBe(4);
    expect(JSON.parse(readFileSync(second?.address ?? '', 'utf8'))).toEqual(more);
  });

  test('that is none parks the migration, with what to do', async () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'a-file'), '');
    const failure = await write({ file: join(folder, 'a-file') }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({ type: 'ReportNotWritten', nonRetryable: true });
    expect((failure as Error).message).toContain('then send retry');
  });
});

describe('a bucket', () => {
  const Bucket = 'audit-evidence';
  let standIn: StandIn;
  let s3: S3Client;
  let deps: Dependencies;
  beforeAll(async () => {
    standIn = await StandIn.start();
    s3 = standIn.s3();
    deps = { aws: () => ({ s3 }) } as unknown as Dependencies;
    await s3.send(
      new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' } }),
    );
  });
  afterAll(async () => {
    s3?.destroy();
    await standIn?.remove();
  });

  const get = async (Key: string) => {
    const found = await s3.send(new GetObjectCommand({ Bucket, Key }));
    return { ...found, text: (await found.Body?.transformToString('utf8')) ?? '' };
  };

  test('gets both, encrypted, with their types; the second time nothing is written', async () => {
    const kept = await write({ s3: `s3://${Bucket}/keyshift/2026/` }, report, deps);
    expect(kept.map(({ address }) => address)).toEqual([
      `s3://${Bucket}/keyshift/2026/encrypt-app-db.json`,
      `s3://${Bucket}/keyshift/2026/encrypt-app-db.html`,
    ]);
    const json = await get('keyshift/2026/encrypt-app-db.json');
    const html = await get('keyshift/2026/encrypt-app-db.html');
    expect(JSON.parse(json.text)).toEqual(report);
    expect(html.text).toBe(renderPage(report));
    expect([json.ContentType, html.ContentType]).toEqual(['application/json', 'text/html; charset=utf-8']);
    expect(json.ServerSideEncryption).toBe('AES256');
    expect(kept.map((one) => one.sha256)).toEqual([sha256(json.text), sha256(html.text)]);

    await expect(write({ s3: `s3://${Bucket}/keyshift/2026` }, report, deps)).resolves.toEqual(kept);
    const again = await get('keyshift/2026/encrypt-app-db.json');
    expect(again.LastModified).toEqual(json.LastModified);
  });

  test('encrypts under the key of the plan, and keeps the report of an earlier migration', async () => {
    const { KeyMetadata } = await standIn.kms().send(new CreateKeyCommand({}));
    const where = { s3: `s3://${Bucket}`, s3KmsKeyId: KeyMetadata?.Arn ?? '' };
    await write(where, report, deps);
    await write(where, later(), deps);
    const first = await get('encrypt-app-db.json');
    expect(first).toMatchObject({ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: KeyMetadata?.Arn });
    expect(JSON.parse(first.text)).toEqual(report);
    const second = await get('encrypt-app-db-20270102T030405678Z.json');
    expect(JSON.parse(second.text)).toEqual(later());
  });

  test.each([
    ['a bucket that is not there', { s3: 's3://no-such-bucket' }, 'ResourceGone'],
    ['a key that is not there', { s3: `s3://${Bucket}/x`, s3KmsKeyId: randomUUID() }, 'ResourceGone'],
  ])('%s is for a person to fix', async (_what, where, type) => {
    const error = await write(where, report, deps).catch((thrown: unknown) => thrown);
    expect(classifyError(error, 'writeReport')).toMatchObject({ type, nonRetryable: true });
  });
});
