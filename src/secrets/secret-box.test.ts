import { describe, expect, test } from 'bun:test';
import { createDecipheriv, hkdfSync } from 'node:crypto';
import fc from 'fast-check';
import { secretBox } from './keys.ts';
import { openJson, sealJson } from './sealed-json.ts';
import { isSealed, SecretBox } from './secret-box.ts';

const CANARY = 'sk-canary-4f9d2b';

describe('a secret box', () => {
  const box = new SecretBox('salt-1');

  test('gives back every text that it sealed, and never the same ciphertext twice', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (text, place) => {
        const sealed = box.seal(text, place);
        expect(isSealed(sealed)).toBe(true);
        expect(box.open(sealed, place)).toEqual({ kind: 'opened', text: Buffer.from(text).toString() });
        expect(box.seal(text, place)).not.toBe(sealed);
      }),
    );
  });

  test('seals as its head says: AES-256-GCM under HKDF, the place authenticated', () => {
    const [, , id, data = ''] = box.seal(CANARY, 'a/b').split(':');
    const bytes = Buffer.from(data, 'base64url');
    const key = Buffer.from(hkdfSync('sha256', 'salt-1', '', 'tollgate secret box 1', 32));
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12));
    decipher.setAAD(Buffer.from('a/b')).setAuthTag(bytes.subarray(-16));
    expect(decipher.update(bytes.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8')).toBe(CANARY);
    expect(id).toBe(Buffer.from(hkdfSync('sha256', 'salt-1', '', 'tollgate key id 1', 6)).toString('hex'));
  });

  test('does not open what was moved, changed, cut, or sealed by nobody', () => {
    const sealed = box.seal(CANARY, 'a');
    expect(box.open(sealed, 'b')).toEqual({ kind: 'damaged' });
    for (let index = 24; index < sealed.length; index += 7) {
      const changed = sealed.slice(0, index) + (sealed[index] === 'A' ? 'B' : 'A') + sealed.slice(index + 1);
      expect(box.open(changed, 'a').kind).toBe('damaged');
    }
    for (const text of ['', CANARY, sealed.slice(0, 40), `${sealed}=`])
      expect(box.open(text, 'a').kind).toBe('damaged');
  });

  test('opens what earlier keys sealed, and names the key that it does not have', () => {
    const old = new SecretBox('salt-0');
    const sealed = old.seal(CANARY, 'a');
    expect(new SecretBox('salt-1', ['salt-0']).open(sealed, 'a')).toEqual({ kind: 'opened', text: CANARY });
    expect(box.open(sealed, 'a')).toEqual({ kind: 'unknown-key', keyId: old.keyId });
  });

  test('is made of the salt key, else of the master key, whose texts the salt key’s box opens too', () => {
    const before = secretBox({}, 'sk-master');
    const after = secretBox({ LITELLM_SALT_KEY: 'salt', LITELLM_SALT_KEY_PREVIOUS: 'older, oldest' }, 'sk-master');
    expect(secretBox({}, null)).toBeNull();
    expect(after?.keyId).not.toBe(before?.keyId);
    expect(after?.open(before?.seal(CANARY, 'a') ?? '', 'a')).toEqual({ kind: 'opened', text: CANARY });
    expect(after?.open(new SecretBox('oldest').seal(CANARY, 'a'), 'a').kind).toBe('opened');
  });
});

describe('sealed JSON', () => {
  const box = new SecretBox('salt-1');
  const value = { model: 'openai/gpt-4o', rpm: 10, flag: true, none: null, list: ['a', { deep: CANARY }] };

  test('has no text left in it, and gives the same object back', () => {
    const sealed = sealJson(box, value, 't/1');
    expect(JSON.stringify(sealed)).not.toContain(CANARY);
    expect(JSON.stringify(sealed)).not.toContain('gpt-4o');
    expect(sealed).toMatchObject({ rpm: 10, flag: true, none: null });
    expect(openJson(box, sealed, 't/1')).toEqual({ kind: 'opened', value });
  });

  test('says which member cannot be opened and why, without its text', () => {
    const moved = openJson(box, sealJson(box, value, 't/1'), 't/2');
    expect(moved).toMatchObject({ kind: 'unreadable', reason: expect.stringMatching(/^model was not encrypted/) });
    const foreign = openJson(box, sealJson(new SecretBox('other'), value, 't/1'), 't/1');
    expect(foreign).toMatchObject({ reason: expect.stringContaining(new SecretBox('other').keyId) });
    expect(openJson(box, { api_key: CANARY }, 't/1')).not.toMatchObject({ reason: expect.stringContaining(CANARY) });
  });
});
