import { redact } from '../core/secret.ts';
import { REFERENCE } from './values.ts';

/** Which keys hold credentials, and how text is shown without them. */

const SENSITIVE =
  /(api[-_]?key|apikey|secret|password|passwd|credential|authorization|private[-_]?key|master[-_]?key|access[-_]?key|salt[-_]?key|token|jwt|cookie|license)/i;
const HARMLESS =
  /(_name|_per_.*token.*|_token_cost.*|_above_.*|tokens?_details|_tokens|_header_name|rate_limit_type|client_side_credentials|clientside_auth_params|aws_access_key_id_name|disable_.*|enable_.*|forward_.*|_required|redact_.*|key_generat.*|key_management_.*)$|^(max|min|supports|disable|enable|use|forward|allow|redact|store|infer)_/i;

/** Words that people write where a host needs no key. */
const PLACEHOLDER = /^(|none|null|empty|dummy|fake([-_]?key)?|anything|not[-_ ]?needed|no[-_ ]?key|placeholder|x+)$/i;

const URL_PASSWORD = /(\w:\/\/[^/\s:@]+:)[^/\s@]+@/g;

/** Whether a key of this name holds a credential. */
export const isSensitive = (key: string): boolean => SENSITIVE.test(key) && !HARMLESS.test(key);

/** Whether text written in the file is a credential that should not stand there. */
export function isLiteralSecret(key: string, value: string): boolean {
  if (REFERENCE.test(value)) return false;
  if (value.search(URL_PASSWORD) >= 0) return true;
  return isSensitive(key) && !PLACEHOLDER.test(value.trim());
}

/** Text from the file as it may be shown: no keys, no passwords in URLs. */
export const withoutSecrets = (text: string): string => redact(text).replace(URL_PASSWORD, '$1[redacted]@');

const MEMBER = /(["']?)([\w-]+)\1(\s*:\s+)(["']?)([^\s"'#{[|>&*][^"'#,}\]]*)/g;

/** A key followed by a value that goes on in brackets or on other lines. */
const NESTED = /([\w-]+)["']?\s*:\s*[[{|>&*!]/g;

/**
 * A line of the file as it may be shown: values of sensitive keys, mistyped ones included, are replaced.
 *
 * Any key with `key`, `token`, `secret` or `pass` in its name counts, since a misspelt `api_kye` has a real key behind it.
 *
 * @param isBelowSecret whether the line stands below a sensitive key, so that no value on it may be shown
 */
export function lineWithoutSecrets(line: string, isBelowSecret = false): string {
  if (isBelowSecret) return line.replace(/((?::|^\s*-)\s+)(?!os\.environ\/\S+\s*$)\S.*$/, '$1[redacted]');
  for (const match of line.matchAll(NESTED)) {
    if (isSuspect(match[1] ?? '')) return `${lineWithoutSecrets(line.slice(0, match.index))}${match[1]}: [redacted]`;
  }
  const shown = line.replace(
    MEMBER,
    (whole, quote: string, key: string, colon: string, open: string, value: string) => {
      if (REFERENCE.test(value.trim()) || !isSuspect(key) || !/[A-Za-z]/.test(value)) return whole;
      return `${quote}${key}${quote}${colon}${open}[redacted]${/\s*$/.exec(value)?.[0] ?? ''}`;
    },
  );
  return withoutSecrets(shown);
}

const isSuspect = (key: string): boolean =>
  isSensitive(key) || (/ke?y|kye|tok|secr|pass|auth|cred/i.test(key) && !HARMLESS.test(key));
