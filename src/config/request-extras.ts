import type { JsonObject } from '../core/json.ts';
import { Secret } from '../core/secret.ts';
import type { UpstreamSettings } from '../core/snapshot.ts';
import { litellmParams, REQUEST_DEFAULTS, unknownParam } from './keys/deployment.ts';
import type { LitellmParams } from './keys/root.ts';
import { isSensitive, withoutSecrets } from './secret-names.ts';
import { type Entry, type MapTree, plain, written } from './tree.ts';

/** Headers that every request of a deployment carries, lower-case names; `extra_headers` wins over `headers`. */
export function extraHeaders(params: LitellmParams): UpstreamSettings['extraHeaders'] {
  const headers: Record<string, string> = {};
  if (params.azure_ad_token !== undefined) headers.authorization = `Bearer ${params.azure_ad_token}`;
  for (const [name, value] of Object.entries({ ...params.headers, ...params.extra_headers }))
    headers[name.toLowerCase()] = value;
  return Object.entries(headers).map(([name, value]) => [name, new Secret(value)] as const);
}

/**
 * Members of every request body of a deployment: `extra_body` over request defaults and unknown parameters; what the table
 * knows for other purposes stays here.
 *
 * @param entries every parameter as written, after resolution
 */
export function extraBody(params: LitellmParams, entries: ReadonlyMap<string, Entry>): JsonObject {
  const members: Record<string, unknown> = {};
  for (const [key, entry] of entries) {
    const isKnown = Object.hasOwn(litellmParams, key);
    if (isKnown ? !REQUEST_DEFAULTS.has(key) : unknownParam(key) !== 'sent') continue;
    const value = isKnown ? params[key] : plain(entry.value);
    if (value !== null && value !== undefined) members[key] = value;
  }
  // Values of a YAML tree are JSON.
  return { ...members, ...params.extra_body } as JsonObject;
}

/** A map as written, for `/model/info`, with credentials replaced by `[redacted]`. */
export function masked(tree: MapTree): JsonObject {
  const hide = (value: unknown, key: string): unknown => {
    if (key === 'headers' || key === 'extra_headers') {
      return typeof value === 'object' && value !== null
        ? Object.fromEntries(Object.keys(value).map((name) => [name, '[redacted]']))
        : '[redacted]';
    }
    if (isSensitive(key) && value !== null) return '[redacted]';
    if (typeof value === 'string') return withoutSecrets(value);
    if (Array.isArray(value)) return value.map((item) => hide(item, ''));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, hide(member, name)]));
  };
  // Values of a YAML tree are JSON.
  return hide(written(tree), '') as JsonObject;
}
