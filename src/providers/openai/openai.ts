import type { HeaderPair } from '../../core/http.ts';
import { classifyReply } from '../classify.ts';
import type { CallContext, Provider } from '../provider.ts';
import { joinUrl, OPENAI_PATHS, passThroughFacet, type Wiring } from './facet.ts';
import { STRIP_CACHE_CONTROL, STRIP_FOREIGN_FIELDS } from './messages.ts';
import { PURE, type Rules } from './rules.ts';
import { STRIP_TOOL_CACHE_CONTROL } from './tools.ts';

const BASE_URL = 'https://api.openai.com/v1';

/** OpenAI's own servers refuse unknown members of messages. */
export const STRICT_OPENAI: Rules = {
  ...PURE,
  rewrites: [STRIP_FOREIGN_FIELDS, STRIP_CACHE_CONTROL, STRIP_TOOL_CACHE_CONTROL],
};

const wiring: Wiring = {
  provider: 'openai',
  needsKey: isOpenAi,
  keyVariables: ['OPENAI_API_KEY'],
  rules: (context) => forModel(isOpenAi(context) ? STRICT_OPENAI : PURE, context.model),
  auth: () => 'bearer',
  url: (context, dialect) => joinUrl(context.deployment.upstream.baseUrl ?? BASE_URL, OPENAI_PATHS[dialect]),
  headers: organizationHeader,
};

/**
 * OpenAI, and with `api_base` any server that looks like it (`openai/<model>`).
 *
 * Of OpenAI's rules for single models only `forModel`'s is applied: else the client's request is sent as it is, and
 * OpenAI's own answer says what to change.
 */
export const openai: Provider = {
  id: 'openai',
  name: 'OpenAI',
  defaults: {
    baseUrl: BASE_URL,
    apiKeyVariables: ['OPENAI_API_KEY'],
    baseUrlVariables: ['OPENAI_BASE_URL', 'OPENAI_API_BASE'],
    apiVersionVariables: [],
    needsKey: true,
  },
  chat: passThroughFacet('openai-chat', wiring),
  completions: passThroughFacet('openai-completions', wiring),
  embeddings: passThroughFacet('openai-embeddings', wiring),
  isChatModel: isChatModelName,
  classify: classifyReply,
};

/**
 * Whether a name is one of OpenAI's chat models, to which its legacy `/completions` answers 404.
 *
 * Names of others (a server of one's own behind `api_base`) are not known, and get the endpoint that was asked for.
 */
export function isChatModelName(model: string): boolean {
  return /^(?:ft:)?(?:gpt-|chatgpt-|o[134](?:-|$))/.test(model) && !model.includes('instruct');
}

/**
 * Reasoning models refuse `max_tokens`, and clients that see a gateway's address send nothing else.
 *
 * @see specs/clients.md §9 (Continue); LiteLLM renames it too
 */
export function forModel(rules: Rules, model: string): Rules {
  if (!/^(?:ft:)?(?:o\d|gpt-5)/.test(model)) return rules;
  return { ...rules, renames: { ...rules.renames, max_tokens: 'max_completion_tokens' } };
}

/** Servers of others behind `openai/` may need what OpenAI refuses (`reasoning_content` at vLLM), so it stays there. */
function isOpenAi(context: CallContext): boolean {
  const base = context.deployment.upstream.baseUrl;
  return base === null || /^https?:\/\/(?:[a-z-]+\.)?api\.openai\.com(?:[:/]|$)/.test(base);
}

function organizationHeader(context: CallContext): readonly HeaderPair[] {
  const { organization } = context.deployment.upstream;
  return organization === null ? [] : [['openai-organization', organization]];
}
