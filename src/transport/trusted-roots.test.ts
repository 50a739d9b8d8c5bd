import { describe, expect, test } from 'bun:test';
import { getCACertificates, rootCertificates } from 'node:tls';
import { tlsFile } from '../../test/support/raw-upstream.ts';
import { trustedRoots } from './trusted-roots.ts';

const FILES: Readonly<Record<string, string>> = {
  'a.pem': tlsFile('ca.pem'),
  'b.pem': tlsFile('self-signed.pem'),
  'crlf.pem': tlsFile('ca.pem').replaceAll('\n', '\r\n'),
  'empty.pem': '',
  'rubbish.pem': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
};

function rootsFor(env: Readonly<Record<string, string>>) {
  return trustedRoots(env, (path) => {
    const text = FILES[path];
    if (text === undefined) throw new Error('no such file');
    return text;
  });
}

describe('the trusted authorities', () => {
  test.each([
    ['nothing set', {}, undefined],
    ['empty variables', { SSL_CERT_FILE: '', NODE_EXTRA_CA_CERTS: '' }, undefined],
    ['a replacement', { SSL_CERT_FILE: 'a.pem' }, FILES['a.pem']?.trim()],
    ['the same twice', { SSL_CERT_FILE: 'a.pem', NODE_EXTRA_CA_CERTS: 'crlf.pem' }, FILES['crlf.pem']?.trim()],
    ['both', { SSL_CERT_FILE: 'a.pem', NODE_EXTRA_CA_CERTS: 'b.pem' }, `${FILES['a.pem']}${FILES['b.pem']?.trim()}`],
  ])('%s', (_case, env, ca) => {
    expect(rootsFor(env)).toEqual({ ca, warnings: [] });
  });

  test("additions come beside the engine's own and the system's", () => {
    const roots = rootsFor({ NODE_EXTRA_CA_CERTS: 'a.pem' });
    const ca = typeof roots === 'string' ? '' : (roots.ca ?? '');
    // In the past they took the place of all others: public providers were refused.
    const blank = /\s/g;
    for (const root of [...rootCertificates, ...getCACertificates('system'), FILES['a.pem'] ?? ''])
      expect(ca.replace(blank, '').includes(root.replace(blank, ''))).toBe(true);
  });

  test.each(['gone.pem', 'empty.pem', 'rubbish.pem'])('additions that cannot be used are left out: %s', (path) => {
    const roots = rootsFor({ NODE_EXTRA_CA_CERTS: path });
    expect(roots).toEqual({ ca: undefined, warnings: [expect.stringContaining(`NODE_EXTRA_CA_CERTS=${path} `)] });
  });

  test.each(['gone.pem', 'empty.pem', 'rubbish.pem'])('a replacement that cannot be used is refused: %s', (path) => {
    expect(rootsFor({ SSL_CERT_FILE: path })).toStartWith(`SSL_CERT_FILE=${path} `);
  });

  test('verification cannot be turned off', () => {
    expect(rootsFor({ SSL_VERIFY: 'False' })).toEqual({
      ca: undefined,
      warnings: [expect.stringContaining('always verified')],
    });
  });
});
