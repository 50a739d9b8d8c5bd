import { classifyReply } from '../classify.ts';
import { passThroughFacet, type Wiring } from '../openai/facet.ts';
import { forModel, isChatModelName, STRICT_OPENAI } from '../openai/openai.ts';
import { PURE } from '../openai/rules.ts';
import type { CallContext, Provider } from '../provider.ts';
import { azureUrl, foundryUrl, isServerless } from './url.ts';

const azureWiring: Wiring = {
  provider: 'azure',
  needsKey: () => true,
  keyVariables: ['AZURE_API_KEY'],
  rules: (context) => forModel(STRICT_OPENAI, context.model),
  auth: azureAuth,
  url: azureUrl,
  headers: () => [],
};

/**
 * Azure OpenAI. `model` is the deployment's name there.
 *
 * Answers pass through with everything that Azure adds: the first chunk without choices, content filter results and
 * offsets, string numbers as error codes.
 */
export const azure: Provider = {
  id: 'azure',
  name: 'Azure',
  conventionalName: 'azure.ai.openai',
  defaults: {
    baseUrl: null,
    apiKeyVariables: ['AZURE_API_KEY', 'AZURE_OPENAI_API_KEY'],
    baseUrlVariables: ['AZURE_API_BASE', 'AZURE_OPENAI_ENDPOINT'],
    apiVersionVariables: ['AZURE_API_VERSION', 'OPENAI_API_VERSION'],
    needsKey: true,
  },
  chat: passThroughFacet('openai-chat', azureWiring),
  completions: passThroughFacet('openai-completions', azureWiring),
  embeddings: passThroughFacet('openai-embeddings', azureWiring),
  // A deployment's name is free, but is nearly always the model's.
  isChatModel: isChatModelName,
  classify: classifyReply,
};

const foundryWiring: Wiring = {
  ...azureWiring,
  provider: 'azure_ai',
  keyVariables: ['AZURE_AI_API_KEY'],
  // Models of many makers: what one refuses another needs.
  rules: () => PURE,
  auth: (context) => (isServerless(context.deployment.upstream.baseUrl ?? '') ? 'bearer' : azureAuth(context)),
  url: foundryUrl,
};

/** Models of all makers on Azure AI Foundry's inference endpoint. */
export const azureAi: Provider = {
  id: 'azure_ai',
  name: 'Azure_ai',
  conventionalName: 'azure.ai.inference',
  defaults: {
    baseUrl: null,
    apiKeyVariables: ['AZURE_AI_API_KEY'],
    baseUrlVariables: ['AZURE_AI_API_BASE'],
    apiVersionVariables: [],
    needsKey: true,
  },
  chat: passThroughFacet('openai-chat', foundryWiring),
  embeddings: passThroughFacet('openai-embeddings', foundryWiring),
  classify: classifyReply,
};

/**
 * A key goes into `api-key`; an Entra token (a JWT, as `azure_ad_token` gives it) is a bearer token.
 *
 * The shape decides, so that both can come in `apiKey`; keys are 32 hexadecimal digits or 84 letters and digits, never
 * three parts with dots.
 */
function azureAuth(context: CallContext): 'bearer' | { readonly header: string } {
  const key = context.deployment.upstream.apiKey?.reveal() ?? '';
  return /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(key) ? 'bearer' : { header: 'api-key' };
}
