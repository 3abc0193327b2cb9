import { CreateKeyCommand, DisableKeyCommand, EnableKeyCommand } from '@aws-sdk/client-kms';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  paginateListObjectsV2,
  PutObjectCommand,
  S3Client,
  type PutObjectCommandInput,
} from '@aws-sdk/client-s3';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { callAws, findAwsCli } from '../../support/aws-cli';
import { StandIn } from '../../support/stand-in';

const Bucket = 'reports';

let aws: StandIn;
let s3: S3Client;
const client = (options: object = {}) => new S3Client({ ...aws.settings(), forcePathStyle: true, ...options });
beforeAll(async () => {
  aws = await StandIn.start();
  s3 = client();
  const LocationConstraint = 'eu-central-1';
  await s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint } }));
});
afterAll(() => aws?.remove());

const put = (Key: string, Body: string | Buffer | Readable, more: Partial<PutObjectCommandInput> = {}) =>
  s3.send(new PutObjectCommand({ ...more, Bucket, Key, Body }));

const read = async (Key: string) => {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
};

describe('buckets', () => {
  it('are in a region', async () => {
    await expect(s3.send(new HeadBucketCommand({ Bucket }))).resolves.toMatchObject({ BucketRegion: 'eu-central-1' });
    await expect(s3.send(new GetBucketLocationCommand({ Bucket }))).resolves.toMatchObject({
      LocationConstraint: 'eu-central-1',
    });
    const CreateBucketConfiguration = { LocationConstraint: 'eu-west-1' } as const;
    await expect(
      s3.send(new CreateBucketCommand({ Bucket: 'other', CreateBucketConfiguration })),
    ).rejects.toMatchObject({
      name: 'IllegalLocationConstraintException',
    });
  });

  it('are made once, and go when they are empty', async () => {
    const CreateBucketConfiguration = { LocationConstraint: 'eu-central-1' } as const;
    const create = (name: string) => s3.send(new CreateBucketCommand({ Bucket: name, CreateBucketConfiguration }));
    await expect(create(Bucket)).rejects.toMatchObject({ name: 'BucketAlreadyOwnedByYou' });
    await expect(create('Not_A_Name')).rejects.toMatchObject({ name: 'InvalidBucketName' });
    await create('short-lived');
    await s3.send(new PutObjectCommand({ Bucket: 'short-lived', Key: 'a', Body: 'a' }));
    const drop = () => s3.send(new DeleteBucketCommand({ Bucket: 'short-lived' }));
    await expect(drop()).rejects.toMatchObject({ name: 'BucketNotEmpty' });
    await s3.send(new DeleteObjectCommand({ Bucket: 'short-lived', Key: 'a' }));
    await drop();
    await expect(s3.send(new HeadBucketCommand({ Bucket: 'short-lived' }))).rejects.toMatchObject({ name: 'NotFound' });
    await expect(s3.send(new ListObjectsV2Command({ Bucket: 'short-lived' }))).rejects.toMatchObject({
      name: 'NoSuchBucket',
    });
  });
});

describe('objects', () => {
  it('come back as they were put', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
    const { ETag } = await put('a/ü b+c.bin', bytes, {
      ContentType: 'application/x-own',
      Metadata: { by: 'keyshift' },
    });
    await expect(read('a/ü b+c.bin')).resolves.toEqual(bytes);
    await expect(s3.send(new HeadObjectCommand({ Bucket, Key: 'a/ü b+c.bin' }))).resolves.toMatchObject({
      ContentLength: bytes.length,
      ContentType: 'application/x-own',
      Metadata: { by: 'keyshift' },
      ServerSideEncryption: 'AES256',
      ETag,
    });
    await put('a/ü b+c.bin', 'shorter');
    await expect(read('a/ü b+c.bin')).resolves.toEqual(Buffer.from('shorter'));
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'a/ü b+c.bin' }));
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'a/ü b+c.bin' }));
    await expect(read('a/ü b+c.bin')).rejects.toMatchObject({ name: 'NoSuchKey' });
    await expect(s3.send(new HeadObjectCommand({ Bucket, Key: 'none' }))).rejects.toMatchObject({ name: 'NotFound' });
    await expect(s3.send(new PutObjectCommand({ Bucket: 'none', Key: 'a', Body: 'a' }))).rejects.toMatchObject({
      name: 'NoSuchBucket',
    });
  });

  it('may come in chunks, and are refused with a wrong checksum', async () => {
    const parts = ['one ', 'two ', 'three'];
    await put('streamed', Readable.from(parts.map((part) => Buffer.from(part))), { ContentLength: 13 });
    await expect(read('streamed')).resolves.toEqual(Buffer.from('one two three'));
    await expect(put('wrong', 'x', { ContentMD5: Buffer.alloc(16).toString('base64') })).rejects.toMatchObject({
      name: 'BadDigest',
    });
    await expect(put('streamed', 'x', { IfNoneMatch: '*' })).rejects.toMatchObject({ name: 'PreconditionFailed' });
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'streamed' }));
  });

  it('are encrypted as asked', async () => {
    const { KeyMetadata } = await aws.kms().send(new CreateKeyCommand({}));
    const key = { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: KeyMetadata?.KeyId } as const;
    const shown = { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: KeyMetadata?.Arn };
    await expect(put('safe', 'secret', key)).resolves.toMatchObject(shown);
    await expect(s3.send(new HeadObjectCommand({ Bucket, Key: 'safe' }))).resolves.toMatchObject(shown);
    await aws.kms().send(new DisableKeyCommand({ KeyId: KeyMetadata?.KeyId }));
    await expect(read('safe')).rejects.toMatchObject({ name: 'KMS.DisabledException' });
    await expect(put('safe', 'more', key)).rejects.toMatchObject({ name: 'KMS.DisabledException' });
    await aws.kms().send(new EnableKeyCommand({ KeyId: KeyMetadata?.KeyId }));
    await expect(read('safe')).resolves.toEqual(Buffer.from('secret'));
    await expect(put('safe', 'x', { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'none' })).rejects.toMatchObject({
      name: 'KMS.NotFoundException',
    });
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'safe' }));
  });

  it('are listed by prefix, in pages, and as folders', async () => {
    const keys = ['a', 'b/1', 'b/2', 'b/c/3', 'd'];
    for (const key of keys) await put(key, key);
    const listed: string[] = [];
    for await (const page of paginateListObjectsV2({ client: s3, pageSize: 2 }, { Bucket })) {
      listed.push(...(page.Contents ?? []).map(({ Key }) => Key ?? ''));
    }
    expect(listed).toEqual(keys);
    const folder = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'b/', Delimiter: '/' }));
    expect(folder.Contents?.map(({ Key }) => Key)).toEqual(['b/1', 'b/2']);
    expect(folder.CommonPrefixes).toEqual([{ Prefix: 'b/c/' }]);
    const rest = await s3.send(new ListObjectsV2Command({ Bucket, StartAfter: 'b/2' }));
    expect(rest).toMatchObject({ KeyCount: 2, Contents: [{ Key: 'b/c/3', Size: 5 }, { Key: 'd' }] });
  });

  it('are found under the name of the bucket as host, and after a restart', async () => {
    await put('kept', 'kept');
    await aws.stopProcess();
    await aws.startProcess();
    s3 = client();
    await expect(read('kept')).resolves.toEqual(Buffer.from('kept'));
    // Names below `localhost` don't resolve everywhere.
    const headers = {
      host: `${Bucket}.localhost`,
      authorization: 'AWS4-HMAC-SHA256 Credential=local/20260101/eu-central-1/s3/aws4_request',
    };
    const text = new Promise((resolve, reject) => {
      get(`${aws.endpoint}/kept`, { headers }, (response) => {
        response.setEncoding('utf8').once('data', resolve);
      }).once('error', reject);
    });
    await expect(text).resolves.toBe('kept');
  });
});

const command = findAwsCli();

/** A client that we didn't write. */
(command === undefined ? describe.skip : describe)('the aws command', () => {
  const call = (...args: string[]) => callAws(command ?? '', aws.endpoint, ...args);

  it('copies a file to a bucket and back', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'keyshift-s3-'));
    try {
      writeFileSync(join(folder, 'report.html'), '<h1>done</h1>');
      await call('s3', 'cp', join(folder, 'report.html'), `s3://${Bucket}/cli/report.html`, '--sse', 'AES256');
      await expect(call('s3', 'ls', `s3://${Bucket}/cli/`)).resolves.toMatch(/ 13 report\.html/);
      await call('s3', 'cp', `s3://${Bucket}/cli/report.html`, join(folder, 'back.html'));
      expect(readFileSync(join(folder, 'back.html'), 'utf8')).toBe('<h1>done</h1>');
      const head = await call('s3api', 'head-object', '--bucket', Bucket, '--key', 'cli/report.html');
      expect(JSON.parse(head)).toMatchObject({ ServerSideEncryption: 'AES256', ContentType: 'text/html' });
      await call('s3', 'rm', `s3://${Bucket}/cli/report.html`);
      await expect(
        call('s3api', 'get-object', '--bucket', Bucket, '--key', 'cli/report.html', join(folder, 'none')),
      ).rejects.toThrow('An error occurred (NoSuchKey) when calling the GetObject operation');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
