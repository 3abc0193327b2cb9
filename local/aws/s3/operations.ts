import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AwsError } from '../errors';
import {
  readXml,
  renderXml,
  type RestCall,
  type RestOperation,
  type RestReply,
  type RestRequest,
  type RestService,
  type XmlNode,
} from '../rest-protocol';
import { ACCOUNT_ID } from '../state';
import { readUpload } from './body';
import { assertReadable, encryptionHeaders, readEncryption } from './encryption';
import type { BucketRecord, ObjectRecord } from './model';

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';
/** The region whose buckets have no location constraint. */
const FIRST_REGION = 'us-east-1';
const LARGEST_PAGE = 1000;
/** Headers of an upload that come back with the object. */
const KEPT_HEADERS = /^(content-type|content-disposition|content-language|cache-control|expires|x-amz-meta-.+)$/;

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html */
export const S3: RestService = {
  throttlingCode: 'SlowDown',
  get operations() {
    return Object.values(OPERATIONS).map(({ name }) => name);
  },
  find: (request) => {
    const { bucket, key } = addressOf(request);
    const what = bucket === '' ? 'service' : key === '' ? 'bucket' : 'object';
    // A sub-resource, such as `?acl`, is another operation of the same method and path.
    const names = [...request.query.keys()].filter((name) => !PARAMETERS.includes(name));
    if (request.headers['x-amz-copy-source'] !== undefined) return undefined;
    return OPERATIONS[[request.method, what, ...names].join(' ')];
  },
  renderError: ({ code, message }, requestId) =>
    renderXml({ Error: { Code: code, Message: message, RequestId: requestId, HostId: 'local' } }),
};

/** Parameters of a query that don't make it another operation. */
const PARAMETERS = [
  'x-id',
  'list-type',
  'prefix',
  'delimiter',
  'max-keys',
  'continuation-token',
  'start-after',
  'fetch-owner',
  'encoding-type',
];

const OPERATIONS: Readonly<Record<string, { readonly name: string; readonly run: RestOperation }>> = {
  'GET service': { name: 'ListBuckets', run: listBuckets },
  'PUT bucket': { name: 'CreateBucket', run: createBucket },
  'HEAD bucket': { name: 'HeadBucket', run: headBucket },
  'DELETE bucket': { name: 'DeleteBucket', run: deleteBucket },
  'GET bucket': { name: 'ListObjectsV2', run: listObjects },
  'GET bucket location': { name: 'GetBucketLocation', run: getBucketLocation },
  'PUT object': { name: 'PutObject', run: putObject },
  'GET object': { name: 'GetObject', run: getObject },
  'HEAD object': { name: 'HeadObject', run: headObject },
  'DELETE object': { name: 'DeleteObject', run: deleteObject },
};

/** The bucket is the first part of the path, or of the host's name (`reports.localhost`). */
function addressOf({ headers, path }: RestRequest): { readonly bucket: string; readonly key: string } {
  const host = /^(.+)\.localhost(?::\d+)?$/.exec(headers.host ?? '')?.[1];
  const [bucket = '', ...key] = host === undefined ? path : [host, ...path];
  return { bucket, key: key.join('/') };
}

function listBuckets({ context }: RestCall): RestReply {
  const buckets = Object.values(context.store.s3.buckets).sort((left, right) => (left.name < right.name ? -1 : 1));
  return answer('ListAllMyBucketsResult', {
    Owner: { ID: ACCOUNT_ID },
    Buckets: {
      Bucket: buckets.map(({ name, createdAt, region }) => ({
        Name: name,
        CreationDate: createdAt,
        BucketRegion: region,
      })),
    },
  });
}

function createBucket(call: RestCall): RestReply {
  const { body, context, scope } = call;
  const { bucket: name } = addressOf(call);
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name)) {
    throw new AwsError('InvalidBucketName', 'The specified bucket is not valid.');
  }
  const configuration = body.length > 0 ? readXml(body, []).tree('CreateBucketConfiguration') : undefined;
  const constraint = configuration?.text('LocationConstraint');
  if ((constraint ?? FIRST_REGION) !== scope.region) {
    throw new AwsError(
      'IllegalLocationConstraintException',
      `The ${constraint ?? 'unspecified'} location constraint is incompatible for the region specific endpoint this request was sent to.`,
    );
  }
  const { buckets } = context.store.s3;
  if (buckets[name]) {
    throw new AwsError(
      'BucketAlreadyOwnedByYou',
      'Your previous request to create the named bucket succeeded and you already own it.',
      409,
    );
  }
  buckets[name] = { name, region: scope.region, createdAt: new Date().toISOString(), objects: {} };
  context.store.changed();
  return { headers: { location: `/${name}` } };
}

function headBucket(call: RestCall): RestReply {
  return { headers: { 'x-amz-bucket-region': requireBucket(call).region } };
}

async function deleteBucket(call: RestCall): Promise<RestReply> {
  const { name, objects } = requireBucket(call);
  if (Object.keys(objects).length > 0) {
    throw new AwsError('BucketNotEmpty', 'The bucket you tried to delete is not empty', 409);
  }
  delete call.context.store.s3.buckets[name];
  call.context.store.changed();
  return { status: 204 };
}

function getBucketLocation(call: RestCall): RestReply {
  const { region } = requireBucket(call);
  const body = renderXml({
    LocationConstraint: { '@_xmlns': NAMESPACE, '#text': region === FIRST_REGION ? undefined : region },
  });
  return { body };
}

/** Keys in the order of their bytes; with a delimiter, what shares a prefix up to it counts as one. */
function listObjects(call: RestCall): RestReply {
  const { query } = call;
  const bucket = requireBucket(call);
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const limit = Math.min(Number(query.get('max-keys') ?? LARGEST_PAGE), LARGEST_PAGE);
  if (!Number.isInteger(limit) || limit < 0) {
    throw new AwsError('InvalidArgument', 'Provided max-keys not an integer or within integer range');
  }
  const token = query.get('continuation-token');
  const after = token === null ? (query.get('start-after') ?? '') : Buffer.from(token, 'base64url').toString('utf8');
  const encode = (text: string) => (query.get('encoding-type') === 'url' ? encodeURIComponent(text) : text);

  const entries: { readonly name: string; readonly object?: ObjectRecord }[] = [];
  const keys = Object.keys(bucket.objects).sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
  for (const key of keys) {
    if (!key.startsWith(prefix)) continue;
    const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const name = end < 0 ? key : key.slice(0, end + delimiter.length);
    if (name <= after || entries.at(-1)?.name === name) continue;
    const object = bucket.objects[key];
    entries.push(end < 0 && object ? { name, object } : { name });
  }
  const page = entries.slice(0, limit);
  const truncated = entries.length > page.length;
  return answer('ListBucketResult', {
    Name: bucket.name,
    Prefix: encode(prefix),
    Delimiter: delimiter === '' ? undefined : encode(delimiter),
    MaxKeys: String(limit),
    EncodingType: query.get('encoding-type') ?? undefined,
    KeyCount: String(page.length),
    IsTruncated: String(truncated),
    ContinuationToken: token ?? undefined,
    StartAfter: query.get('start-after') ?? undefined,
    NextContinuationToken: truncated ? Buffer.from(page.at(-1)?.name ?? '').toString('base64url') : undefined,
    Contents: page.flatMap(({ name, object }) =>
      object
        ? [
            {
              Key: encode(name),
              LastModified: object.modifiedAt,
              ETag: `"${object.etag}"`,
              Size: String(object.size),
              StorageClass: 'STANDARD',
            },
          ]
        : [],
    ),
    CommonPrefixes: page.flatMap(({ name, object }) => (object ? [] : [{ Prefix: encode(name) }])),
  });
}

async function putObject(call: RestCall): Promise<RestReply> {
  const { context, headers } = call;
  const bucket = requireBucket(call);
  const { key } = addressOf(call);
  const encryption = readEncryption(call, bucket);
  if (headers['if-none-match'] === '*' && bucket.objects[key]) {
    throw new AwsError('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', 412);
  }
  const { bytes, crc32, md5 } = readUpload(call);
  const object: ObjectRecord = {
    file: randomUUID(),
    size: bytes.length,
    etag: md5.toString('hex'),
    crc32,
    modifiedAt: new Date().toISOString(),
    headers: Object.fromEntries(
      Object.entries(headers).flatMap(([name, value]) =>
        KEPT_HEADERS.test(name) && typeof value === 'string' ? [[name, value]] : [],
      ),
    ),
    encryption,
  };
  await mkdir(directoryOf(call), { recursive: true, mode: 0o700 });
  await writeFile(fileOf(call, object), bytes, { mode: 0o600 });
  const previous = bucket.objects[key];
  bucket.objects[key] = object;
  context.store.changed();
  await context.store.flush();
  if (previous) await rm(fileOf(call, previous), { force: true });
  return {
    headers: { etag: `"${object.etag}"`, 'x-amz-checksum-crc32': crc32, ...encryptionHeaders(encryption) },
  };
}

async function getObject(call: RestCall): Promise<RestReply> {
  const object = requireObject(call);
  return { headers: objectHeaders(call, object), body: await readFile(fileOf(call, object)) };
}

function headObject(call: RestCall): RestReply {
  const object = requireObject(call);
  return { headers: { ...objectHeaders(call, object), 'content-length': String(object.size) } };
}

async function deleteObject(call: RestCall): Promise<RestReply> {
  const bucket = requireBucket(call);
  const { key } = addressOf(call);
  const object = bucket.objects[key];
  if (object) {
    delete bucket.objects[key];
    call.context.store.changed();
    await call.context.store.flush();
    await rm(fileOf(call, object), { force: true });
  }
  return { status: 204 };
}

function requireBucket(call: RestCall): BucketRecord {
  const bucket = call.context.store.s3.buckets[addressOf(call).bucket];
  if (!bucket) throw new AwsError('NoSuchBucket', 'The specified bucket does not exist', 404);
  return bucket;
}

function requireObject(call: RestCall): ObjectRecord {
  const bucket = requireBucket(call);
  const object = bucket.objects[addressOf(call).key];
  if (!object) throw new AwsError('NoSuchKey', 'The specified key does not exist.', 404);
  assertReadable(call, bucket, object.encryption);
  return object;
}

function objectHeaders({ headers }: RestCall, object: ObjectRecord): Record<string, string> {
  return {
    'content-type': 'binary/octet-stream',
    ...object.headers,
    etag: `"${object.etag}"`,
    'last-modified': new Date(object.modifiedAt).toUTCString(),
    'accept-ranges': 'bytes',
    ...(headers['x-amz-checksum-mode'] === 'ENABLED'
      ? { 'x-amz-checksum-crc32': object.crc32, 'x-amz-checksum-type': 'FULL_OBJECT' }
      : {}),
    ...encryptionHeaders(object.encryption),
  };
}

const directoryOf = ({ context }: RestCall): string => join(context.places.stateDir, 's3');

const fileOf = (call: RestCall, { file }: ObjectRecord): string => join(directoryOf(call), file);

const answer = (name: string, members: { readonly [member: string]: XmlNode }): RestReply => ({
  body: renderXml({ [name]: { '@_xmlns': NAMESPACE, ...members } }),
});
