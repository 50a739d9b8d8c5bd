import type { LedgerEntry } from '../../core/ledger-entry.ts';
import { redact } from '../../core/secret.ts';
import { usd } from '../../core/units.ts';
import type { Usage } from '../../core/usage.ts';

const CALL_TYPES: Readonly<Record<string, string>> = {
  'chat-completions': 'acompletion',
  completions: 'atext_completion',
  embeddings: 'aembedding',
};

/**
 * LiteLLM's standard logging payload (litellm.md §9.4): what its callbacks give to their receivers.
 *
 * Prompt, answer and parameters are always null: they are not kept. What LiteLLM would guess or look up is null too.
 *
 * @param traceId of the spans of the same request; null when nobody traces
 */
export function standardPayload(entry: LedgerEntry, traceId: string | null): object {
  const { usage, cost, startedAt, duration, firstByte } = entry;
  return {
    id: entry.callId,
    trace_id: traceId ?? entry.session ?? entry.requestId,
    call_type: CALL_TYPES[entry.endpoint] ?? entry.endpoint,
    cache_hit: null,
    stream: entry.isStreaming,
    status: entry.end === 'success' ? 'success' : 'failure',
    status_fields: { llm_api_status: entry.end === 'success' ? 'success' : 'failure', guardrail_status: 'not_run' },
    custom_llm_provider: entry.provider,
    saved_cache_cost: 0,
    startTime: startedAt / 1000,
    endTime: (startedAt + duration) / 1000,
    completionStartTime: firstByte === null ? null : (startedAt + firstByte) / 1000,
    response_time: duration / 1000,
    model_map_information: null,
    model: clean(entry.model ?? entry.requestedModel),
    model_id: entry.deployment,
    model_group: clean(entry.group ?? entry.requestedModel),
    api_base: entry.apiBase,
    metadata: metadataOf(entry),
    cache_key: null,
    response_cost: cost?.kind === 'known' ? Number(usd(cost.total)) : cost === null ? 0 : null,
    cost_breakdown: null,
    total_tokens: usage === null ? 0 : usage.input + usage.output,
    prompt_tokens: usage?.input ?? 0,
    completion_tokens: usage?.output ?? 0,
    request_tags: entry.tags.map(clean),
    end_user: entry.payer.customerId === null ? clean(entry.user) : clean(entry.payer.customerId),
    requester_ip_address: entry.requesterAddress,
    user_agent: null,
    messages: null,
    response: null,
    ...failureOf(entry),
    model_parameters: null,
    hidden_params: hiddenOf(entry),
    guardrail_information: null,
    standard_built_in_tools_params: null,
  };
}

function metadataOf({ payer, usage, requesterAddress, user, session }: LedgerEntry): object {
  return {
    user_api_key_hash: payer.keyHash,
    user_api_key_alias: clean(payer.keyAlias),
    user_api_key_user_id: payer.userId,
    user_api_key_team_id: payer.teamId,
    user_api_key_org_id: payer.organizationId,
    user_api_key_end_user_id: clean(payer.customerId ?? user),
    requester_ip_address: requesterAddress,
    session_id: clean(session),
    usage_object: usage === null ? null : usageOf(usage),
  };
}

function usageOf(usage: Usage): object {
  return {
    prompt_tokens: usage.input,
    completion_tokens: usage.output,
    total_tokens: usage.input + usage.output,
    prompt_tokens_details: { cached_tokens: usage.cacheRead, audio_tokens: usage.audioInput },
    completion_tokens_details: { reasoning_tokens: usage.reasoning, audio_tokens: usage.audioOutput },
    cache_creation_input_tokens: usage.cacheWrite,
    cache_read_input_tokens: usage.cacheRead,
  };
}

function failureOf({ end, failure, status, provider }: LedgerEntry): object {
  if (end === 'success') return { error_str: null, error_information: null };
  const message = clean(failure?.message ?? end);
  return {
    error_str: message,
    error_information: {
      error_code: String(failure?.status ?? status),
      error_class: failure?.kind ?? end,
      llm_provider: provider,
      traceback: '',
      error_message: message,
    },
  };
}

/** What is ours stands under a name of ours. */
function hiddenOf(entry: LedgerEntry): object {
  return {
    model_id: entry.deployment,
    api_base: entry.apiBase,
    response_cost: entry.cost?.kind === 'known' ? usd(entry.cost.total) : null,
    litellm_overhead_time_ms: entry.overhead,
    tollgate: {
      request_id: entry.requestId,
      outcome: entry.end,
      cost: entry.cost?.kind ?? null,
      attempts: entry.attempts.map((attempt) => ({ ...attempt, outcome: clean(attempt.outcome) })),
    },
  };
}

/** Words of clients and providers, without credentials. */
function clean<Text extends string | null>(text: Text): Text | string {
  return text === null ? text : redact(text);
}
