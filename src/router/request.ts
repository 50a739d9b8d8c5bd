import type { JsonObject } from '../core/json.ts';
import type { FallbackMap, RoutingSettings } from '../core/snapshot.ts';
import type { Millis } from '../core/units.ts';

/** What the router is told about one request. */
export interface RouteRequest {
  /** The name the client asked for: a group, an alias, a deployment id, or something a wildcard matches. */
  readonly model: string;
  readonly isStreaming: boolean;
  /**
   * Tokens that the prompt has at least, whichever deployment's tokenizer counts; null when nobody counted, which is
   * the rule for prompts that fit everywhere.
   */
  readonly promptTokens: number | null;
  readonly tags: readonly string[];
  readonly controls: RoutingControls;
  /** When the request arrived, on the monotonic clock: the total deadline counts from here. */
  readonly startedAt: Millis;
}

/** Per-request controls (litellm.md §2.9); null means that the client did not say. */
export interface RoutingControls {
  /** `fallbacks` of the body: names or maps to merge over the request, or LiteLLM's own form. */
  readonly fallbacks: readonly ClientFallback[] | FallbackMap | null;
  readonly contextWindowFallbacks: FallbackMap | null;
  readonly contentPolicyFallbacks: FallbackMap | null;
  readonly disableFallbacks: boolean;
  readonly numRetries: number | null;
  readonly timeout: Millis | null;
  readonly streamTimeout: Millis | null;
  /** The client's own deadline for the whole request (`x-stainless-timeout`). */
  readonly totalTimeout: Millis | null;
}

/** A request that demands nothing of its own. */
export const NO_CONTROLS: RoutingControls = {
  fallbacks: null,
  contextWindowFallbacks: null,
  contentPolicyFallbacks: null,
  disableFallbacks: false,
  numRetries: null,
  timeout: null,
  streamTimeout: null,
  totalTimeout: null,
};

/** One entry of a client's `fallbacks` list. */
export interface ClientFallback {
  readonly model: string;
  /** Members that replace those of the body for this target (`messages`, `temperature` …), or null. */
  readonly overrides: JsonObject | null;
}

/**
 * Whether a context-window error without a chain of its own goes on to the next group of the ordinary chain.
 *
 * So say `context_window_fallbacks: true`, `fallback_on`, and a client's own list, which is for any error.
 */
export function contextErrorsLeave(settings: RoutingSettings, { controls }: RouteRequest): boolean {
  return (
    settings.contextUsesOrdinaryChain ||
    isClientList(controls.fallbacks) ||
    settings.fallbackOn.some((trigger) => trigger === 'any' || trigger === 'context-window')
  );
}

/** Whether the client sent a list of targets, not a map in LiteLLM's own form. */
export function isClientList(fallbacks: RoutingControls['fallbacks']): fallbacks is readonly ClientFallback[] {
  return Array.isArray(fallbacks);
}
