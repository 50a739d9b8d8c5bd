/**
 * Words by which providers say what has no common code (errors.md §3–5).
 *
 * Matched on the provider's own message, code and type, never on the whole body: some repeat the user's prompt there.
 */

/** The prompt is longer than the model's window. */
const CONTEXT_WINDOW: readonly RegExp[] = [
  /exceed context limit/i,
  /model's maximum context (?:length|limit)/i,
  /maximum context length (?:is|of) \d+/i,
  /is longer than the model's context length/i,
  /input tokens exceed the configured limit/i,
  /`inputs` tokens \+ `max_new_tokens` must be/i,
  /current length is .{0,40} while limit is/i, // Cerebras
  /exceeds the context window/i, // OpenAI Responses and newer chat models
  /prompt is too long/i, // Anthropic, Bedrock
  /prompt: length/i,
  /input is too long for requested model/i, // Bedrock
  /too many (?:input )?tokens/i, // Bedrock, Cohere
  /input tokens exceeded/i, // Bedrock
  /expected maxLength:/i, // Bedrock
  /input token count.{0,80}exceeds the maximum/i, // Gemini
  /exceeds the maximum number of tokens/i, // Vertex
  /request payload size exceeds/i, // Gemini
  /maximum prompt length is \d+/i, // xAI
  /reduce the length of the messages/i, // Groq, DeepSeek
  /exceeds the available context size/i, // llama.cpp
  /greater than the context length/i, // LM Studio
  // GitHub Copilot. With the word before it, for "the number of tools exceeds the limit of 128" is no long prompt.
  /token.{0,60}exceeds the limit of \d+/i,
  /context window exceeds limit/i, // MiniMax
  /exceeded model token limit/i, // Moonshot
  /total length of all messages is too long/i, // Perplexity
  /context[_ ]length[_ ]exceeded/i,
  /model_max_prompt_tokens_exceeded|model_context_window_exceeded|too_many_(?:prompt_)?tokens/i,
];

/** The provider's safety system refused prompt or answer. */
const CONTENT_POLICY: readonly RegExp[] = [
  /content_policy_violation/i,
  /content_filter(?!_error)/i,
  /ResponsibleAIPolicyViolation/i,
  /triggering azure (?:openai's )?content management/i,
  /as a result of (?:our|the) safety system/i,
  /the model produced invalid content/i,
  /violating our usage policy/i,
  /\binvalid_prompt\b/i,
  /output blocked by content filtering policy/i, // Anthropic
  /the response was blocked/i, // Vertex
  /requires moderation.{0,80}flagged/i, // OpenRouter's 403
  /data_inspection_failed/i, // DashScope
];

/** Too much at once, whatever the status says. */
const RATE_LIMIT =
  /\brate[ _-]?limit|too[ _]many[ _]requests|throttl|quota[ _]exceeded|resource[ _]?exhausted|token_quota_reached|queue_exceeded|over capacity/i;

/** The account has no money left: waiting a second does not help. */
const QUOTA = /insufficient_quota|billing_hard_limit_reached|credit_balance_exhausted/i;

const CREDENTIAL = /invalid_api_key|incorrect api key|invalid api[ _]key|api key not valid|authentication fails/i;

const MODEL_MISSING = /model_not_found|DeploymentNotFound|\bmodel\b.{0,120}does not exist/i;

/**
 * Whether the words mean that the prompt does not fit the model's window.
 *
 * "String too long" is OpenAI's answer to any member that is too long, a metadata value as well; it counts only when
 * `param` names the prompt or nothing.
 *
 * @param text message, code and type, joined
 */
export function isContextWindow(text: string, param: string | null = null): boolean {
  if (CONTEXT_WINDOW.some((phrase) => phrase.test(text))) return true;
  return (
    /string too long\. expected a string with maximum length/i.test(text) &&
    (param === null || /^(?:messages|input|prompt)/.test(param))
  );
}

/** Whether the words mean that the provider's safety system refused. */
export function isContentPolicy(text: string): boolean {
  return CONTENT_POLICY.some((phrase) => phrase.test(text));
}

/** Whether the words mean a rate limit, for providers that do not say so by a 429. */
export function isRateLimit(text: string): boolean {
  return RATE_LIMIT.test(text);
}

/** Whether the words mean that the account's money or quota is used up. */
export function isQuotaExhausted(text: string): boolean {
  return QUOTA.test(text);
}

/** Whether the words mean that the gateway's credential was refused (a 400 at xAI and Gemini). */
export function isCredentialRefused(text: string): boolean {
  return CREDENTIAL.test(text);
}

/** Whether the words mean that the model or deployment does not exist (a 400 at some). */
export function isModelMissing(text: string): boolean {
  return MODEL_MISSING.test(text);
}
