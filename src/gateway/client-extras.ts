import type { HeaderPair } from '../core/http.ts';
import { isObject, type Json } from '../core/json.ts';
import type { Edit } from '../wire/json-splice.ts';

/** Headers that decide who pays, where the request goes or how it is framed: never a client's to choose. */
const RESERVED =
  /^(authorization|proxy-authorization|cookie|host|te|trailer|upgrade|connection|keep-alive|transfer-encoding|content-(length|type|encoding)|accept-encoding|.*api-key|.*-token|x-goog-.*|x-amz-.*|x-litellm-.*)$/;

/** Members that the gateway sets itself. */
const OWN_MEMBERS: ReadonlySet<string> = new Set(['model', 'stream', 'messages', 'prompt', 'input']);

/** `extra_headers` of the body: sent to the provider, but for those that are not the client's to choose. */
export function extraHeaders(value: Json | undefined): readonly HeaderPair[] {
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, text]): HeaderPair[] => {
    const lower = name.toLowerCase();
    const isSound = /^[a-z0-9-]+$/.test(lower) && typeof text === 'string' && /^[\x20-\x7e]*$/.test(text);
    return isSound && !RESERVED.test(lower) ? [[lower, text]] : [];
  });
}

/** `extra_body` of the body: its members join the request's own. @param isGatewayMember whether a key never goes upstream */
export function extraBody(value: Json | undefined, isGatewayMember: (key: string) => boolean): readonly Edit[] {
  if (!isObject(value)) return [];
  return Object.entries(value)
    .filter(([key, member]) => member !== undefined && !OWN_MEMBERS.has(key) && !isGatewayMember(key))
    .map(([key, member]) => ({ kind: 'set', key, raw: JSON.stringify(member) }));
}
