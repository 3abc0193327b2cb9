import { ACCOUNT_ID } from '../state';

/** `db`: instance, `snapshot`: manual snapshot, `pg`: parameter group, `og`: option group (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Tagging.ARN.html). */
export type ArnKind = 'db' | 'snapshot' | 'pg' | 'og' | 'subgrp';

/** The ARN of a resource of RDS. */
export function arnOf(kind: ArnKind, region: string, name: string): string {
  return `arn:aws:rds:${region}:${ACCOUNT_ID}:${kind}:${name}`;
}

/** Takes an ARN of RDS apart. */
export function parseArn(
  arn: string,
): { readonly region: string; readonly kind: string; readonly name: string } | undefined {
  const match = /^arn:aws[\w-]*:rds:([\w-]+):(\d+):(\w+):(.+)$/.exec(arn);
  if (match?.[2] !== ACCOUNT_ID) return undefined;
  const [, region = '', , kind = '', name = ''] = match;
  return { region, kind, name };
}
