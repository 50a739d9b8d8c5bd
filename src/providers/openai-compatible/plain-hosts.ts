import type { AuthStyle } from '../openai/headers.ts';
import { DEVELOPER_TO_SYSTEM } from '../openai/messages.ts';
import { PURE, type Rules } from '../openai/rules.ts';
import type { Endpoint, Host } from './host.ts';

/** Chat templates of open models know `system` only. */
const OWN_SERVER: Rules = { ...PURE, rewrites: [DEVELOPER_TO_SYSTEM] };

/** Servers that operators run themselves, and gateways that hand the request on: next to nothing is changed for them. */
export const TRANSPARENT_HOSTS: readonly Host[] = [
  own('custom_openai', null, ['CUSTOM_OPENAI_API_KEY']),
  own('openai_like', null, ['OPENAI_LIKE_API_KEY']),
  // Another gateway, which knows what its own upstreams take.
  { ...own('litellm_proxy', null, ['LITELLM_PROXY_API_KEY']), rules: PURE },
  own('lm_studio', null, ['LM_STUDIO_API_KEY']),
  own('llamafile', 'http://127.0.0.1:8080/v1', ['LLAMAFILE_API_KEY']),
  own('docker_model_runner', 'http://localhost:22088/engines/llama.cpp/v1', ['DOCKER_MODEL_RUNNER_API_KEY']),
  own('lemonade', 'http://localhost:8000/api/v1', ['LEMONADE_API_KEY']),
  own('xinference', 'http://127.0.0.1:9997/v1', ['XINFERENCE_API_KEY']),
  // By their OpenAI endpoint; the native API speaks NDJSON.
  { ...own('ollama', 'http://localhost:11434', ['OLLAMA_API_KEY']), basePath: '/v1' },
  {
    ...own('ollama_chat', 'http://localhost:11434', ['OLLAMA_API_KEY']),
    basePath: '/v1',
    bases: ['OLLAMA_API_BASE'],
  },
  {
    ...host('vercel_ai_gateway', 'https://ai-gateway.vercel.sh/v1', ['VERCEL_AI_GATEWAY_API_KEY', 'VERCEL_OIDC_TOKEN']),
    rules: PURE,
  },
  { ...host('helicone', 'https://ai-gateway.helicone.ai', ['HELICONE_API_KEY']), rules: PURE },
  { ...host('aihubmix', 'https://aihubmix.com/v1', ['AIHUBMIX_API_KEY'], ['chat', 'embeddings']), rules: PURE },
  // OpenAI's models at Amazon; the address holds the region.
  { ...host('bedrock_mantle', null, ['BEDROCK_MANTLE_API_KEY']), rules: PURE },
];

/** Hosts that need nothing but an address and a key. */
export const PLAIN_HOSTS: readonly Host[] = [
  host(
    'nvidia_nim',
    'https://integrate.api.nvidia.com/v1',
    ['NVIDIA_NIM_API_KEY'],
    ['chat', 'completions', 'embeddings'],
  ),
  host('minimax', 'https://api.minimax.io/v1', ['MINIMAX_API_KEY']),
  host(
    'volcengine',
    'https://ark.cn-beijing.volces.com/api/v3',
    ['VOLCENGINE_API_KEY', 'ARK_API_KEY'],
    ['chat', 'embeddings'],
  ),
  host('novita', 'https://api.novita.ai/v3/openai', ['NOVITA_API_KEY'], ['chat', 'completions', 'embeddings']),
  host('nebius', 'https://api.studio.nebius.ai/v1', ['NEBIUS_API_KEY'], ['chat', 'completions', 'embeddings']),
  host('hyperbolic', 'https://api.hyperbolic.xyz/v1', ['HYPERBOLIC_API_KEY'], ['chat', 'completions']),
  host('lambda_ai', 'https://api.lambda.ai/v1', ['LAMBDA_API_KEY'], ['chat', 'completions']),
  host('baseten', 'https://inference.baseten.co/v1', ['BASETEN_API_KEY']),
  host('friendliai', 'https://api.friendli.ai/serverless/v1', ['FRIENDLI_TOKEN'], ['chat', 'completions']),
  host('galadriel', 'https://api.galadriel.com/v1', ['GALADRIEL_API_KEY']),
  host('github', 'https://models.inference.ai.azure.com', ['GITHUB_API_KEY'], ['chat', 'embeddings']),
  host('v0', 'https://api.v0.dev/v1', ['V0_API_KEY']),
  host('morph', 'https://api.morphllm.com/v1', ['MORPH_API_KEY']),
  host('nscale', 'https://inference.api.nscale.com/v1', ['NSCALE_API_KEY']),
  host('ovhcloud', 'https://oai.endpoints.kepler.ai.cloud.ovh.net/v1', ['OVHCLOUD_API_KEY'], ['chat', 'embeddings']),
  host('heroku', 'https://us.inference.heroku.com/v1', ['HEROKU_API_KEY'], ['chat', 'embeddings']),
  host('wandb', 'https://api.inference.wandb.ai/v1', ['WANDB_API_KEY']),
  host('meta_llama', 'https://api.llama.com/compat/v1', ['LLAMA_API_KEY']),
  host('ai21_chat', 'https://api.ai21.com/studio/v1', ['AI21_API_KEY']),
  host('ai21', 'https://api.ai21.com/studio/v1', ['AI21_API_KEY']),
  host('aiml', 'https://api.aimlapi.com/v1', ['AIML_API_KEY'], ['chat', 'embeddings']),
  host('cometapi', 'https://api.cometapi.com/v1', ['COMETAPI_KEY'], ['chat', 'embeddings']),
  host('compactifai', 'https://api.compactif.ai/v1', ['COMPACTIFAI_API_KEY']),
  host('clarifai', 'https://api.clarifai.com/v2/ext/openai/v1', ['CLARIFAI_API_KEY']),
  host('gradient_ai', 'https://inference.do-ai.run/v1', ['GRADIENT_AI_API_KEY']),
  host('amazon_nova', 'https://api.nova.amazon.com/v1', ['AMAZON_NOVA_API_KEY']),
  // The address holds the account: https://api.cloudflare.com/client/v4/accounts/<id>/ai/v1
  host('cloudflare', null, ['CLOUDFLARE_API_KEY'], ['chat', 'embeddings']),
  host('huggingface', 'https://router.huggingface.co/v1', ['HF_TOKEN', 'HUGGINGFACE_API_KEY']),
  host('veniceai', 'https://api.venice.ai/api/v1', ['VENICE_AI_API_KEY'], ['chat', 'embeddings']),
  host('xiaomi_mimo', 'https://api.xiaomimimo.com/v1', ['XIAOMI_MIMO_API_KEY']),
  host('scaleway', 'https://api.scaleway.ai/v1', ['SCW_SECRET_KEY'], ['chat', 'embeddings']),
  host('synthetic', 'https://api.synthetic.new/openai/v1', ['SYNTHETIC_API_KEY'], ['chat', 'completions']),
  host('apertis', 'https://api.stima.tech/v1', ['STIMA_API_KEY']),
  host('nano-gpt', 'https://nano-gpt.com/api/v1', ['NANOGPT_API_KEY']),
  host('poe', 'https://api.poe.com/v1', ['POE_API_KEY']),
  host('chutes', 'https://llm.chutes.ai/v1', ['CHUTES_API_KEY'], ['chat', 'completions']),
  host('abliteration', 'https://api.abliteration.ai/v1', ['ABLITERATION_API_KEY']),
  host('llamagate', 'https://api.llamagate.dev/v1', ['LLAMAGATE_API_KEY'], ['chat', 'embeddings']),
  host('gmi', 'https://api.gmi-serving.com/v1', ['GMI_API_KEY', 'GMI_CLOUD_APIKEY']),
  host('sarvam', 'https://api.sarvam.ai/v1', ['SARVAM_API_KEY'], ['chat'], { header: 'api-subscription-key' }),
  host('assemblyai', 'https://llm-gateway.assemblyai.com/v1', ['ASSEMBLYAI_API_KEY']),
  host('crusoe', 'https://managed-inference-api-proxy.crusoecloud.com/v1', ['CRUSOE_API_KEY']),
  host('siliconflow', 'https://api.siliconflow.cn/v1', ['SILICONFLOW_API_KEY'], ['chat', 'embeddings']),
  host('inference-net', 'https://api.inference.net/v1', ['INFERENCE_NET_API_KEY']),
  host('kluster-ai', 'https://api.kluster.ai/v1', ['KLUSTER_AI_API_KEY']),
  host('lemonfox-ai', 'https://api.lemonfox.ai/v1', ['LEMONFOX_AI_API_KEY']),
  host('iointelligence', 'https://api.intelligence.io.solutions/api/v1', ['IOINTELLIGENCE_API_KEY']),
  host('krutrim', 'https://cloud.olakrutrim.com/v1', ['KRUTRIM_API_KEY']),
  host('ncompass', 'https://api.ncompass.tech/v1', ['NCOMPASS_API_KEY']),
  host('upstage', 'https://api.upstage.ai/v1/solar', ['UPSTAGE_API_KEY'], ['chat', 'embeddings']),
  host('lingyi', 'https://api.lingyiwanwu.com/v1', ['LINGYI_API_KEY']),
  host('monsterapi', 'https://llm.monsterapi.ai/v1', ['MONSTERAPI_API_KEY']),
  host('302ai', 'https://api.302.ai/v1', ['302AI_API_KEY'], ['chat', 'embeddings']),
  host('reka-ai', 'https://api.reka.ai', ['REKA_AI_API_KEY'], ['chat'], { header: 'x-api-key' }),
];

function host(
  id: string,
  baseUrl: string | null,
  keys: readonly string[],
  endpoints: readonly Endpoint[] = ['chat'],
  auth: AuthStyle = 'bearer',
): Host {
  return { id, baseUrl, keys, endpoints, auth };
}

/** A server of the operator's own: all endpoints, a key only if it asks for one. */
function own(id: string, baseUrl: string | null, keys: readonly string[]): Host {
  return { id, baseUrl, keys, needsKey: false, endpoints: ['chat', 'completions', 'embeddings'], rules: OWN_SERVER };
}
