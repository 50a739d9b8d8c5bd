import { createHash, createHmac } from 'node:crypto';
import type { Secret } from '../../core/secret.ts';

/** A request to be signed. */
export interface UnsignedRequest {
  readonly method: string;
  readonly url: URL;
  /** Names in lower case. `host` is added. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Signer {
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
  readonly sessionToken: Secret | null;
  readonly region: string;
}

/**
 * The headers of a request signed for S3 by AWS Signature Version 4, those given included.
 *
 * @param now milliseconds since 1970; the receiver refuses one that is more than 15 minutes off
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, read 2026-11-23
 */
export function signedHeaders(request: UnsignedRequest, signer: Signer, now: number): Record<string, string> {
  const time = new Date(now).toISOString().replace(/[-:]|\.\d{3}/g, '');
  const scope = `${time.slice(0, 8)}/${signer.region}/s3/aws4_request`;
  const content = sha256(request.body);
  const headers: Record<string, string> = { ...request.headers, 'x-amz-content-sha256': content, 'x-amz-date': time };
  if (signer.sessionToken !== null) headers['x-amz-security-token'] = signer.sessionToken.reveal();
  const signed = Object.entries({ ...headers, host: request.url.host }).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const names = signed.map(([name]) => name).join(';');
  const lines = signed.map(([name, value]) => `${name}:${value.trim()}\n`).join('');
  // The path is signed as it is sent: each part percent-encoded once.
  const canonical = [request.method, request.url.pathname, '', lines, names, content].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n');
  const credential = `Credential=${signer.accessKeyId}/${scope}`;
  const proof = hmac(keyOf(signer, scope), toSign).toString('hex');
  return { ...headers, authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names}, Signature=${proof}` };
}

/** The key of one day, region and service. */
function keyOf({ secretAccessKey }: Signer, scope: string): Buffer {
  let key: Buffer | string = `AWS4${secretAccessKey.reveal()}`;
  for (const part of scope.split('/')) key = hmac(key, part);
  return key as Buffer; // the scope has parts
}

/** One part of a path; `encodeURIComponent` leaves out what AWS encodes. */
export function encodedPart(part: string): string {
  return encodeURIComponent(part.toWellFormed()).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: Buffer | string, text: string): Buffer => createHmac('sha256', key).update(text).digest();
