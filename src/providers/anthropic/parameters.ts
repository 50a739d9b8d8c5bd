import { isObject, type Json, type JsonObject, objectMember, stringMember } from '../../core/json.ts';
import type { Notes } from './notes.ts';

/** Parameters that translate one by one. Each function gives the members to spread into the request. */

/** `stop_sequences` from `stop`; blank ones are left out, for the API refuses them. */
export function stopSequences(stop: Json | undefined): JsonObject {
  const all = typeof stop === 'string' ? [stop] : Array.isArray(stop) ? stop : [];
  const usable = all.filter((text) => typeof text === 'string' && text.trim() !== '');
  return usable.length === 0 ? {} : { stop_sequences: usable };
}

/** `service_tier` where the two APIs share a meaning. */
export function serviceTier(tier: Json | undefined, notes: Notes): JsonObject {
  if (tier === 'auto') return { service_tier: 'auto' };
  if (tier === 'default') return { service_tier: 'standard_only' };
  if (tier === 'standard_only') return { service_tier: tier };
  if (tier !== undefined && tier !== null) notes.dropped.add('service_tier');
  return {};
}

const E_MAIL = /^[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}$/;
const PHONE = /^\+?[\d\s()-]{7,}$/;

/**
 * `metadata.user_id` from the client's name for its user.
 *
 * E-mail addresses and phone numbers stay here: Anthropic asks for an opaque id (LiteLLM does the same).
 */
export function endUser(parameters: JsonObject, notes: Notes): JsonObject {
  const metadata = isObject(parameters.metadata) ? stringMember(parameters.metadata, 'user_id') : null;
  const id = stringMember(parameters, 'user') ?? stringMember(parameters, 'safety_identifier') ?? metadata;
  if (id === null || id === '') return {};
  if (E_MAIL.test(id) || PHONE.test(id)) {
    notes.dropped.add('user');
    return {};
  }
  return { metadata: { user_id: id } };
}

/** `output_config` with the client's own members, the effort and the format for JSON. */
export function outputConfig(parameters: JsonObject, effort: string | null, format: JsonObject | null): JsonObject {
  const config = {
    ...(effort === null ? {} : { effort }),
    ...(format === null ? {} : { format }),
    ...objectMember(parameters, 'output_config'),
  };
  return Object.keys(config).length === 0 ? {} : { output_config: config };
}
