import {
  CONTENT_TO_STRING,
  NINE_CHARACTER_TOOL_IDS,
  REASONING_IN_TOOL_LOOP_ONLY,
  STRIP_FOREIGN_FIELDS,
  stripNames,
} from '../openai/messages.ts';
import { PURE, PURE_ANSWERS, type Rewrite, type Rules } from '../openai/rules.ts';
import { mapToolChoice, namedToolChoiceTo, stripToolKeys } from '../openai/tools.ts';
import { type Host, LOOKALIKE } from './host.ts';

/**
 * Hosts with quirks, one row each; sources are named in `specs/providers.md`.
 *
 * A quirk is here because the host answers an error, or a strict client fails on its answer; what is only ignored is
 * left to the host.
 */

/** `max_completion_tokens` is the host's own word too (recorded at xAI, OpenRouter and Cerebras; Groq's reference). */
const OWN_TOKEN_LIMIT: Rules = { ...LOOKALIKE, renames: {} };

/** Penalties and `stop` are refused by xAI's reasoning models. */
const XAI_REASONING = /^grok-(?:3-mini|4|code)/;

/** The official clients ask for base64 vectors although their caller did not, and read floats as well. */
const FLOATS_ONLY: Rewrite = { member: 'encoding_format', needles: ['"base64"'], apply: () => 'float' };

const MISTRAL: Rules = {
  ...LOOKALIKE,
  // 422 `extra_forbidden` on anything unknown; usage comes on the last chunk without asking (recorded 2026).
  streamOptions: 'refuse',
  renames: { max_completion_tokens: 'max_tokens', seed: 'random_seed', dimensions: 'output_dimension' },
  advisory: [...LOOKALIKE.advisory, 'user'],
  unsupported: [
    { models: null, names: ['logprobs', 'top_logprobs', 'logit_bias', 'modalities', 'audio', 'web_search_options'] },
    { models: /^(?!magistral|mistral-(?:small|medium))/, names: ['reasoning_effort'] },
  ],
  rewrites: [
    ...LOOKALIKE.rewrites,
    STRIP_FOREIGN_FIELDS,
    stripNames('tool'),
    NINE_CHARACTER_TOOL_IDS,
    stripToolKeys(['$id', '$schema', 'additionalProperties', 'strict']),
    mapToolChoice({ required: 'any' }),
    FLOATS_ONLY,
  ],
  answers: { ...PURE_ANSWERS, finishReasons: { model_length: 'length' } },
};

export const QUIRKY_HOSTS: readonly Host[] = [
  {
    id: 'groq',
    baseUrl: 'https://api.groq.com/openai/v1',
    keys: ['GROQ_API_KEY'],
    endpoints: ['chat'],
    rules: {
      ...OWN_TOKEN_LIMIT,
      // `service_tier` is Groq's own as well.
      advisory: LOOKALIKE.advisory.filter((name) => name !== 'service_tier'),
      unsupported: [{ models: null, names: ['n', 'logprobs', 'top_logprobs', 'logit_bias'] }],
      rewrites: [...LOOKALIKE.rewrites, STRIP_FOREIGN_FIELDS, stripNames(null)],
    },
  },
  {
    id: 'deepseek',
    baseUrl: 'https://api.deepseek.com',
    keys: ['DEEPSEEK_API_KEY'],
    // `/completions` exists below `/beta` only.
    endpoints: ['chat'],
    rules: {
      ...LOOKALIKE,
      unsupported: [{ models: /reasoner/, names: ['logprobs', 'top_logprobs'] }],
      rewrites: [...LOOKALIKE.rewrites, CONTENT_TO_STRING, REASONING_IN_TOOL_LOOP_ONLY],
      answers: { ...PURE_ANSWERS, finishReasons: { insufficient_system_resource: 'length' } },
    },
  },
  {
    id: 'together_ai',
    baseUrl: 'https://api.together.xyz/v1',
    keys: ['TOGETHERAI_API_KEY', 'TOGETHER_API_KEY', 'TOGETHER_AI_API_KEY', 'TOGETHER_AI_TOKEN'],
    endpoints: ['chat', 'completions', 'embeddings'],
    rules: { ...LOOKALIKE, answers: { ...PURE_ANSWERS, finishReasons: { eos: 'stop', eos_token: 'stop' } } },
  },
  {
    id: 'fireworks_ai',
    baseUrl: 'https://api.fireworks.ai/inference/v1',
    keys: ['FIREWORKS_API_KEY', 'FIREWORKS_AI_API_KEY', 'FIREWORKSAI_API_KEY', 'FIREWORKS_AI_TOKEN'],
    endpoints: ['chat', 'completions', 'embeddings'],
    rules: {
      ...LOOKALIKE,
      modelPrefix: 'accounts/fireworks/models/',
      rewrites: [...LOOKALIKE.rewrites, stripToolKeys(['strict']), mapToolChoice({ required: 'any' })],
    },
  },
  {
    id: 'perplexity',
    baseUrl: 'https://api.perplexity.ai',
    keys: ['PERPLEXITYAI_API_KEY', 'PERPLEXITY_API_KEY'],
    endpoints: ['chat'],
    rules: {
      ...LOOKALIKE,
      unsupported: [
        {
          models: null,
          names: ['tools', 'tool_choice', 'parallel_tool_calls', 'n', 'stop', 'logit_bias', 'seed', 'logprobs'],
        },
      ],
      // Deep research: 7,163 completion tokens beside 73,997 of reasoning (Perplexity's pricing page, "Example").
      answers: { ...PURE_ANSWERS, reasoning: 'outside' },
    },
  },
  {
    id: 'xai',
    conventionalName: 'x_ai',
    baseUrl: 'https://api.x.ai/v1',
    keys: ['XAI_API_KEY'],
    endpoints: ['chat'],
    rules: {
      ...OWN_TOKEN_LIMIT,
      unsupported: [
        { models: XAI_REASONING, names: ['stop', 'presence_penalty', 'frequency_penalty'] },
        { models: /^grok-(?:2|3(?!-mini)|4(?!\.|-1|-3)|code|beta)/, names: ['reasoning_effort'] },
      ],
      rewrites: [...LOOKALIKE.rewrites, stripToolKeys(['strict'])],
      answers: { finishReasons: {}, toolCallsFinish: 'says-stop', reasoning: 'outside' },
    },
  },
  {
    id: 'mistral',
    conventionalName: 'mistral_ai',
    baseUrl: 'https://api.mistral.ai/v1',
    keys: ['MISTRAL_API_KEY'],
    endpoints: ['chat', 'embeddings'],
    rules: MISTRAL,
  },
  {
    id: 'codestral',
    baseUrl: 'https://codestral.mistral.ai/v1',
    keys: ['CODESTRAL_API_KEY'],
    endpoints: ['chat'],
    rules: MISTRAL,
  },
  {
    id: 'openrouter',
    baseUrl: 'https://openrouter.ai/api/v1',
    keys: ['OPENROUTER_API_KEY', 'OR_API_KEY'],
    endpoints: ['chat', 'completions', 'embeddings'],
    // Hands everything on, `cache_control` and reasoning details included.
    rules: { ...PURE, answers: { ...PURE_ANSWERS, finishReasons: { eos: 'stop' } } },
  },
  {
    id: 'cerebras',
    baseUrl: 'https://api.cerebras.ai/v1',
    keys: ['CEREBRAS_API_KEY'],
    endpoints: ['chat', 'completions'],
    rules: {
      ...OWN_TOKEN_LIMIT,
      unsupported: [{ models: null, names: ['frequency_penalty', 'presence_penalty', 'logit_bias'] }],
    },
  },
  {
    id: 'deepinfra',
    baseUrl: 'https://api.deepinfra.com/v1/openai',
    keys: ['DEEPINFRA_API_KEY'],
    endpoints: ['chat', 'completions', 'embeddings'],
    rules: {
      ...LOOKALIKE,
      rewrites: [...LOOKALIKE.rewrites, mapToolChoice({ required: 'auto' }), namedToolChoiceTo('auto')],
    },
  },
  {
    id: 'sambanova',
    baseUrl: 'https://api.sambanova.ai/v1',
    keys: ['SAMBANOVA_API_KEY'],
    endpoints: ['chat', 'embeddings'],
    rules: {
      ...LOOKALIKE,
      unsupported: [{ models: null, names: ['n', 'frequency_penalty', 'presence_penalty', 'seed'] }],
      rewrites: [...LOOKALIKE.rewrites, CONTENT_TO_STRING],
    },
  },
  {
    id: 'hosted_vllm',
    baseUrl: null,
    keys: ['HOSTED_VLLM_API_KEY'],
    needsKey: false,
    endpoints: ['chat', 'completions', 'embeddings'],
    rules: { ...PURE, rewrites: [stripToolKeys(['additionalProperties', 'strict'])] },
  },
  {
    id: 'moonshot',
    baseUrl: 'https://api.moonshot.ai/v1',
    keys: ['MOONSHOT_API_KEY'],
    endpoints: ['chat'],
    rules: {
      ...LOOKALIKE,
      rewrites: [
        ...LOOKALIKE.rewrites,
        CONTENT_TO_STRING,
        REASONING_IN_TOOL_LOOP_ONLY,
        mapToolChoice({ required: 'auto' }),
      ],
    },
  },
  {
    id: 'zai',
    baseUrl: 'https://api.z.ai/api/paas/v4',
    keys: ['ZAI_API_KEY'],
    endpoints: ['chat'],
    rules: {
      ...LOOKALIKE,
      rewrites: [...LOOKALIKE.rewrites, mapToolChoice({ required: 'auto', none: 'auto' }), namedToolChoiceTo('auto')],
      answers: {
        ...PURE_ANSWERS,
        finishReasons: { sensitive: 'content_filter', model_context_window_exceeded: 'length' },
      },
    },
  },
  {
    id: 'dashscope',
    baseUrl: 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1',
    keys: ['DASHSCOPE_API_KEY'],
    endpoints: ['chat', 'embeddings'],
    rules: { ...LOOKALIKE, rewrites: [...LOOKALIKE.rewrites, CONTENT_TO_STRING] },
  },
  {
    id: 'featherless_ai',
    baseUrl: 'https://api.featherless.ai/v1',
    keys: ['FEATHERLESS_API_KEY', 'FEATHERLESS_AI_API_KEY'],
    endpoints: ['chat', 'completions'],
    rules: {
      ...LOOKALIKE,
      rewrites: [...LOOKALIKE.rewrites, mapToolChoice({ required: 'auto' }), namedToolChoiceTo('auto')],
    },
  },
  {
    id: 'publicai',
    baseUrl: 'https://api.publicai.co/v1',
    keys: ['PUBLICAI_API_KEY'],
    endpoints: ['chat'],
    rules: { ...LOOKALIKE, rewrites: [...LOOKALIKE.rewrites, CONTENT_TO_STRING] },
  },
  {
    id: 'jina_ai',
    baseUrl: 'https://api.jina.ai/v1',
    keys: ['JINA_AI_API_KEY'],
    endpoints: ['embeddings'],
    rules: { ...LOOKALIKE, advisory: [...LOOKALIKE.advisory, 'user', 'encoding_format'] },
  },
  {
    id: 'voyage',
    baseUrl: 'https://api.voyageai.com/v1',
    keys: ['VOYAGE_API_KEY'],
    endpoints: ['embeddings'],
    rules: {
      ...LOOKALIKE,
      renames: { dimensions: 'output_dimension' },
      advisory: [...LOOKALIKE.advisory, 'user', 'encoding_format'],
    },
  },
  {
    id: 'databricks',
    baseUrl: null,
    keys: ['DATABRICKS_API_KEY'],
    endpoints: ['chat', 'completions', 'embeddings'],
    // Some of its endpoints answer 400 to `stream_options` and `user`.
    rules: { ...LOOKALIKE, streamOptions: 'refuse', advisory: [...LOOKALIKE.advisory, 'user'] },
  },
];
