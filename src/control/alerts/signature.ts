import { createHmac } from 'node:crypto';

/** Header by which a receiver knows that an alert comes from this gateway. */
export const SIGNATURE_HEADER = 'x-tollgate-signature';

/**
 * `t=SECONDS,v1=HEX`: HMAC-SHA256 over `SECONDS.BODY` under the shared key.
 *
 * The moment is signed with the body, so that a receiver may refuse what was recorded and is sent again.
 *
 * @param at seconds since 1970
 */
export function signature(body: string, key: string, at: number): string {
  const digest = createHmac('sha256', key).update(`${at}.${body}`).digest('hex');
  return `t=${at},v1=${digest}`;
}
