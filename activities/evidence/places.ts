import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { GetObjectCommand, type GetObjectCommandOutput, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { finalFailure } from '../../plan/failures';
import type { Plan } from '../../plan/plan';
import { placeInS3 } from '../../plan/report-plan';
import { isAwsError, isDenied } from '../classify-error';

/** Somewhere that a report is kept. Names are those of files. */
export interface Place {
  /** For people. */
  address(name: string): string;
  /** What is there under that name; undefined: nothing. */
  read(name: string): Promise<string | undefined>;
  write(name: string, text: string, type: string): Promise<void>;
}

type ReportPlan = NonNullable<Plan['report']>;

/** The places that the plan names. */
export function placesOf({ file, s3, s3KmsKeyId }: ReportPlan, client: S3Client): Place[] {
  return [
    ...(file === undefined ? [] : [inFolder(file)]),
    ...(s3 === undefined ? [] : [inBucket(client, s3, s3KmsKeyId)]),
  ];
}

/** A folder below the working directory of this worker. */
function inFolder(folder: string): Place {
  const path = (name: string) => join(resolve(folder), name);
  const doing = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw finalFailure(
        'ReportNotWritten',
        `The report can't be kept in ${path(name)}: ${(error as Error).message}. Make the folder writable for the worker, then send retry.`,
      );
    }
  };
  return {
    address: path,
    read: (name) =>
      doing(name, () =>
        readFile(path(name), 'utf8').catch((error: unknown) => {
          if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
          throw error;
        }),
      ),
    write: (name, text) =>
      doing(name, async () => {
        await mkdir(resolve(folder), { recursive: true });
        // Readers see all of it or nothing, whenever this process is killed.
        const beside = path(`.${name}.${randomUUID()}`);
        try {
          const file = await open(beside, 'wx');
          try {
            await file.writeFile(text);
            await file.sync();
          } finally {
            await file.close();
          }
          await rename(beside, path(name));
        } finally {
          await rm(beside, { force: true });
        }
      }),
  };
}

/**
 * A bucket. Without a key of the plan, objects are encrypted as the bucket says: naming an algorithm would override a key that the
 * bucket's owner has chosen. What comes back has to be encrypted in either case.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html
 */
function inBucket(client: S3Client, place: string, kmsKeyId: string | undefined): Place {
  const { bucket: Bucket, prefix } = placeInS3(place);
  const address = (name: string) => `s3://${Bucket}/${prefix}${name}`;
  const get = (name: string) => client.send(new GetObjectCommand({ Bucket, Key: `${prefix}${name}` }));
  return {
    address,
    async read(name) {
      const found = await get(name).catch((error: unknown) => {
        // Without s3:ListBucket, S3 doesn't tell what is not there from what is forbidden; the writing will.
        if (isAwsError(error, 'NoSuchKey', 'NotFound') || isDenied(error)) return undefined;
        throw error;
      });
      return found?.Body?.transformToString('utf8');
    },
    async write(name, text, type) {
      await client.send(
        new PutObjectCommand({
          Bucket,
          Key: `${prefix}${name}`,
          Body: text,
          ContentType: type,
          ...(kmsKeyId === undefined ? {} : { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: kmsKeyId }),
        }),
      );
      const found = await get(name);
      // Nothing of it is left open: a body that nobody reads keeps its connection.
      await found.Body?.transformToByteArray();
      requireEncrypted(address(name), found, kmsKeyId);
    },
  };
}

function requireEncrypted(
  address: string,
  { ServerSideEncryption: algorithm, SSEKMSKeyId: key }: GetObjectCommandOutput,
  wanted: string | undefined,
): void {
  if (algorithm !== undefined && (wanted === undefined || algorithm.startsWith('aws:kms'))) return;
  throw finalFailure(
    'ReportNotWritten',
    `S3 says that ${address} is ${algorithm === undefined ? 'not encrypted' : `encrypted by ${algorithm}, key ${key ?? 'of its own'}`}, wanted ${wanted ?? 'as the bucket does'}. Set a default encryption on the bucket, then send retry.`,
  );
}
