import { isObject, type Json, type JsonObject } from '../../core/json.ts';
import { dropPath } from '../openai/drop-path.ts';
import type { CallContext, ClientCall } from '../provider.ts';
import type { ModelTraits } from './models.ts';
import type { Notes } from './notes.ts';
import { refuseUnsupported } from './refusal.ts';

/**
 * OpenAI's parameters that Anthropic has nothing for, with the value that counts as not set.
 *
 * @see specs/translation.md §1, last rows
 */
const UNSUPPORTED: Readonly<Record<string, Json>> = {
  logprobs: false,
  top_logprobs: 0,
  logit_bias: {},
  seed: null,
  presence_penalty: 0,
  frequency_penalty: 0,
  prediction: null,
  store: false,
  modalities: ['text'],
  audio: null,
  prompt_cache_key: null,
  prompt_cache_retention: null,
  moderation: null,
};

/** What the translation reads; neither these nor the ones below go upstream as the client wrote them. */
const TRANSLATED: ReadonlySet<string> = new Set([
  'model',
  'messages',
  'stream',
  'stream_options',
  'max_tokens',
  'max_completion_tokens',
  'stop',
  'temperature',
  'top_p',
  'top_k',
  'user',
  'safety_identifier',
  'metadata',
  'tools',
  'tool_choice',
  'functions',
  'function_call',
  'parallel_tool_calls',
  'response_format',
  'reasoning_effort',
  'thinking',
  'output_config',
  'web_search_options',
  'service_tier',
]);
/** What says nothing to Anthropic and does no harm by being left out. */
const LEFT_OUT: ReadonlySet<string> = new Set(['verbosity', 'n', 'prompt_cache_options']);

/**
 * The client's parameters as the translation reads them.
 *
 * The deployment's own members (`extra_body`) stand where the client sent none, nulls are gone, and what
 * `additional_drop_params` names is left out.
 */
export function clientParameters(call: ClientCall, context: CallContext, notes: Notes): JsonObject {
  const given = { ...context.deployment.upstream.extraBody, ...call.body.json() };
  let parameters: JsonObject = Object.fromEntries(Object.entries(given).filter(([, value]) => value != null));
  for (const path of context.deployment.additionalDropParams) {
    const rest = dropPath(parameters, path);
    if (rest === parameters || !isObject(rest)) continue;
    parameters = rest;
    notes.dropped.add(path);
  }
  return parameters;
}

/**
 * Refuses what would change the answer's shape, and what is unsupported unless it may be dropped.
 *
 * `allowed_openai_params` are let through; `passedThrough` then sends them.
 */
export function checkSupport(parameters: JsonObject, traits: ModelTraits, context: CallContext, notes: Notes): void {
  const { allowedParams } = context.deployment;
  const unsupported = unsupportedNames(parameters, traits).filter((name) => !allowedParams.includes(name));
  const fatal = unsupported.filter((name) => changesShape(name, parameters));
  if (fatal.length > 0) refuse(fatal, context.model);
  if (unsupported.length > 0 && !context.dropParams) refuse(unsupported, context.model);
  for (const name of unsupported) notes.dropped.add(name);
  if (parameters.verbosity !== undefined && !allowedParams.includes('verbosity')) notes.dropped.add('verbosity');
}

/** Members that go upstream as they are: Anthropic's own, unknown ones, and those the deployment allows. */
export function passedThrough(parameters: JsonObject, context: CallContext): JsonObject {
  const { allowedParams } = context.deployment;
  const isWithheld = (name: string) =>
    (Object.hasOwn(UNSUPPORTED, name) || LEFT_OUT.has(name)) && !allowedParams.includes(name);
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => !TRANSLATED.has(name) && !isWithheld(name)));
}

function unsupportedNames(parameters: JsonObject, traits: ModelTraits): readonly string[] {
  const names = Object.keys(UNSUPPORTED).filter((name) => isSet(parameters, name));
  const { n, reasoning_effort: effort } = parameters;
  if (n !== undefined && n !== 1) names.push('n');
  if (effort !== undefined && effort !== 'none' && traits.thinking.length === 0) names.push('reasoning_effort');
  return names;
}

function isSet(parameters: JsonObject, name: string): boolean {
  const value = parameters[name];
  return value !== undefined && JSON.stringify(value) !== JSON.stringify(UNSUPPORTED[name]);
}

/** Several answers, or sound, are what the client waits for: without them the answer is another one. */
function changesShape(name: string, parameters: JsonObject): boolean {
  if (name === 'n') return true;
  return name === 'modalities' && Array.isArray(parameters.modalities) && parameters.modalities.includes('audio');
}

/** LiteLLM's words, which its users search for. */
function refuse(names: readonly string[], model: string): never {
  const list = `[${names.map((name) => `'${name}'`).join(', ')}]`;
  return refuseUnsupported(
    `anthropic does not support parameters: ${list}, for model=${model}. To drop these, set ` +
      'litellm.drop_params=True or for proxy: litellm_settings: drop_params: true.',
    names[0] ?? null,
  );
}
