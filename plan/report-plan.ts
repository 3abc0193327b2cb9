import { z } from 'zod';
import { nonEmpty } from './fields';

/** A folder that the worker may write below its own, wherever a plan comes from. */
const isBelow = (folder: string): boolean => !/^[/\\~]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)/.test(folder);

/** `report` of a plan: where the evidence is kept, besides Temporal. */
export const reportPlan = z
  .strictObject({
    /** A folder, relative to the working directory of the worker that gets there. */
    file: nonEmpty('a folder')
      .refine(isBelow, 'is not below the working directory of the worker: give a relative folder without ".."')
      .optional(),
    /** A bucket, and a prefix in it. */
    s3: z
      .string()
      .regex(
        /^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[A-Za-z0-9!_.*'()-]+)*\/?$/,
        'is not a place in S3, for example s3://audit-evidence/keyshift',
      )
      .optional(),
    /** Key that S3 encrypts them under; default: as the bucket does. */
    s3KmsKeyId: nonEmpty('a KMS key in the region of the bucket').optional(),
  })
  .refine(({ file, s3 }) => file !== undefined || s3 !== undefined, 'says nowhere: give file or s3')
  .refine(({ s3, s3KmsKeyId }) => s3KmsKeyId === undefined || s3 !== undefined, {
    path: ['s3KmsKeyId'],
    error: 'is of no use without s3',
  });

/** Bucket and prefix of a place in S3; the prefix is empty or ends in a slash. */
export function placeInS3(place: string): { readonly bucket: string; readonly prefix: string } {
  const [bucket = '', ...folders] = place
    .slice('s3://'.length)
    .split('/')
    .filter((part) => part !== '');
  return { bucket, prefix: folders.map((folder) => `${folder}/`).join('') };
}
