import type { IncomingMessage } from 'node:http';

/** The part of a SigV4 signature that says what a request is meant for. Signatures themselves aren't verified here. */
export interface CredentialScope {
  readonly accessKeyId: string;
  readonly region: string;
  readonly service: string;
}

/**
 * Reads the scope from the `Authorization` header or a presigned URL: `<access key>/<date>/<region>/<service>/aws4_request`
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
 */
export function readCredentialScope(request: IncomingMessage, url: URL): CredentialScope | undefined {
  const fromHeader = /Credential=([^,\s]+)/.exec(request.headers.authorization ?? '')?.[1];
  const credential = fromHeader ?? url.searchParams.get('X-Amz-Credential');
  const [accessKeyId, , region, service] = credential?.split('/') ?? [];
  return accessKeyId && region && service ? { accessKeyId, region, service } : undefined;
}
