import { z } from 'zod';
import type { JsonObject } from '../../core/json.ts';
import { epochMillis } from '../../core/units.ts';
import { after, parseDuration } from '../../metering/period.ts';
import { amount, count, span } from '../fields/values.ts';
import { refused } from '../http/refused.ts';
import type { ControlSettings } from '../ports.ts';
import { type KeyChanges, type KeyInput, keyInput } from './fields.ts';

/** `upperbound_key_generate_params` (litellm.md §1.8). */
const boundsInput = z.object({
  max_budget: amount.nullish(),
  max_parallel_requests: count.nullish(),
  tpm_limit: count.nullish(),
  rpm_limit: count.nullish(),
  budget_duration: span.nullish(),
  duration: span.nullish(),
});

/**
 * The fields of a new key with the operator's defaults and bounds.
 *
 * What is left out and has a bound gets the bound, as in LiteLLM: else leaving it out would be the way around it.
 *
 * @throws Refused for more than a bound allows
 */
export function withinBounds(sent: KeyInput, settings: ControlSettings): KeyInput {
  const defaults = configured(keyInput, settings.keyDefaults, 'default_key_generate_params');
  const bounds = configured(boundsInput, settings.keyBounds, 'upperbound_key_generate_params');
  const given = Object.fromEntries(Object.entries(sent).filter(([, value]) => value != null));
  const filled = { ...defaults, ...given } as KeyInput; // both are its fields
  const limits = Object.entries(bounds).filter(([, bound]) => bound != null) as [
    keyof typeof bounds,
    string | number,
  ][];
  for (const [field, bound] of limits) checkBound(field, filled[field] ?? null, bound);
  return { ...Object.fromEntries(limits), ...filled };
}

/**
 * Whether a change keeps within the bounds, which taking a limit away does not: else a user would make a key within them
 * and change it.
 *
 * @throws Refused
 */
export function checkBounds(sent: KeyChanges, settings: ControlSettings): void {
  const bounds = configured(boundsInput, settings.keyBounds, 'upperbound_key_generate_params');
  for (const [field, bound] of Object.entries(bounds)) {
    const value = sent[field as keyof typeof bounds]; // a field of the bounds
    if (bound != null && value !== undefined) checkBound(field, value ?? '-1', bound);
  }
}

function checkBound(field: string, value: string | number | null, bound: string | number): void {
  if (value === null || sizeOf(value) <= sizeOf(bound)) return;
  const message = `${field} is over max limit set in config - user_value=${value}; max_value=${bound}`;
  throw refused('bad-fields', message, field);
}

/** A number is as large as it is, a span as long as it lasts; `-1` lasts for ever. */
function sizeOf(value: string | number): number {
  if (typeof value === 'number') return value;
  const span = parseDuration(value);
  return span === null ? Number.POSITIVE_INFINITY : after(epochMillis(0), span);
}

/** A map of the configuration as fields. @throws Refused, naming the setting: the client cannot help it */
export function configured<S extends z.ZodType>(schema: S, map: JsonObject, setting: string): z.output<S> {
  const parsed = schema.safeParse(map);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw refused('bad-fields', `litellm_settings.${setting}.${issue?.path.join('.')}: ${issue?.message}`, setting);
}
