import { expect, test } from 'bun:test';
import { Secret } from '../../core/secret.ts';
import { encodedPart, signedHeaders } from './sigv4.ts';

/** Amazon's own examples: sig-v4-header-based-auth.html, "Examples: Signature Calculations", read 2026-11-23. */
const signer = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: new Secret('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'),
  sessionToken: null,
  region: 'us-east-1',
};
const NOW = Date.UTC(2013, 4, 24);

test('a signature is the one of Amazon’s example of an upload', () => {
  const request = {
    method: 'PUT',
    url: new URL(`https://examplebucket.s3.amazonaws.com/${encodedPart('test$file.text')}`),
    headers: { date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
    body: 'Welcome to Amazon S3.',
  };
  const { authorization } = signedHeaders(request, signer, NOW);
  expect(authorization).toBe(
    'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ' +
      'SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, ' +
      'Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  );
});

test('a signature is the one of Amazon’s example of a download', () => {
  const request = {
    method: 'GET',
    url: new URL('https://examplebucket.s3.amazonaws.com/test.txt'),
    headers: { range: 'bytes=0-9' },
    body: '',
  };
  const { authorization } = signedHeaders(request, signer, NOW);
  expect(authorization).toEndWith('Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41');
});

test('the token of temporary credentials is sent and signed', () => {
  const request = { method: 'PUT', url: new URL('https://b.example/k'), headers: {}, body: '' };
  const headers = signedHeaders(request, { ...signer, sessionToken: new Secret('token') }, NOW);
  expect(headers['x-amz-security-token']).toBe('token');
  expect(headers.authorization).toContain('x-amz-date;x-amz-security-token,');
});
