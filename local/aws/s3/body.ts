import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { AwsError } from '../errors';
import type { RestRequest } from '../rest-protocol';

/** The bytes of an upload, and what is known of them. */
export interface Upload {
  readonly bytes: Buffer;
  readonly md5: Buffer;
  readonly crc32: string;
}

/**
 * Reads the body of an upload, which clients may send in chunks with a checksum at the end, and checks every checksum that is sent along.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
 */
export function readUpload({ body, headers }: RestRequest): Upload {
  const chunked = String(headers['x-amz-content-sha256'] ?? '').startsWith('STREAMING-');
  const { bytes, trailers } = chunked ? joinChunks(body) : { bytes: body, trailers: new Map<string, string>() };
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(bytes));
  const upload = { bytes, md5: createHash('md5').update(bytes).digest(), crc32: checksum.toString('base64') };
  const sha256 = createHash('sha256').update(bytes).digest('base64');
  const sent = (name: string) => trailers.get(name) ?? headers[name];
  const wrong =
    differs(sent('content-md5'), upload.md5.toString('base64')) ||
    differs(sent('x-amz-checksum-crc32'), upload.crc32) ||
    differs(sent('x-amz-checksum-sha256'), sha256);
  if (wrong) {
    throw new AwsError(
      'BadDigest',
      'The Content-MD5 or checksum value that you specified did not match what the server received.',
    );
  }
  return upload;
}

const differs = (sent: string | string[] | undefined, found: string): boolean => sent !== undefined && sent !== found;

function joinChunks(body: Buffer): { readonly bytes: Buffer; readonly trailers: ReadonlyMap<string, string> } {
  const chunks: Buffer[] = [];
  for (let at = 0; at < body.length;) {
    const lineEnd = body.indexOf('\r\n', at);
    const size = lineEnd < 0 ? NaN : parseInt(body.toString('latin1', at, lineEnd), 16);
    const start = lineEnd + 2;
    if (Number.isNaN(size) || start + size > body.length) break;
    if (size === 0) {
      const lines = body.toString('latin1', start).split('\r\n');
      const trailers = lines.flatMap((line) => {
        const colon = line.indexOf(':');
        return colon < 0 ? [] : [[line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const];
      });
      return { bytes: Buffer.concat(chunks), trailers: new Map(trailers) };
    }
    chunks.push(body.subarray(start, start + size));
    at = start + size + 2;
  }
  throw new AwsError(
    'IncompleteBody',
    'You did not provide the number of bytes specified by the Content-Length HTTP header.',
  );
}
