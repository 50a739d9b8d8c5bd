import type { Deployment, Snapshot } from '../core/snapshot.ts';
import { matchEndpoint } from '../endpoints/registry.ts';
import type { ServerRequest, ServerResponse } from '../transport/server.ts';
import type { ExchangeDependencies } from './dependencies.ts';
import { Exchange } from './exchange.ts';

/** LiteLLM's probe (litellm.md §8.1), with the smallest answer that every model allows. */
const PROMPT = 'test from litellm';
const MOST_TOKENS = 16;
const PATIENCE_SECONDS = 60;

/** What a probe of one deployment found. */
export interface ProbeResult {
  readonly deployment: Deployment;
  readonly isHealthy: boolean;
  readonly status: number;
  /** The error's message, or null. */
  readonly error: string | null;
}

/**
 * Calls deployments for real: costs tokens, and is made only for a keyed request that asks for it (B18).
 *
 * @param only a group or a deployment id; null for all
 */
export async function probe(
  deps: ExchangeDependencies,
  request: ServerRequest,
  snapshot: Snapshot,
  only: string | null,
): Promise<readonly ProbeResult[]> {
  const chosen = [...snapshot.deployments.values()].filter(
    (each) => each.disabled === null && !each.isWildcard && (only === null || each.id === only || each.group === only),
  );
  return Promise.all(chosen.map((deployment) => probeOne(deps, request, deployment)));
}

async function probeOne(
  deps: ExchangeDependencies,
  request: ServerRequest,
  deployment: Deployment,
): Promise<ProbeResult> {
  const { path, body } = probeBody(deployment);
  const match = matchEndpoint(path);
  if (match === null) throw new Error(`no endpoint at ${path}`);
  const answer = await new Exchange(deps, inner(request, body), match).run();
  const isHealthy = answer.status === 200;
  return { deployment, isHealthy, status: answer.status, error: isHealthy ? null : messageOf(answer) };
}

function probeBody(deployment: Deployment): { readonly path: string; readonly body: string } {
  // Names the deployment itself: the router takes it whatever its health, and nothing else answers for it.
  const common = { model: deployment.id, num_retries: 0, disable_fallbacks: true, timeout: PATIENCE_SECONDS };
  if (deployment.info.mode === 'embedding')
    return { path: '/v1/embeddings', body: JSON.stringify({ ...common, input: [PROMPT] }) };
  if (deployment.info.mode === 'completion') {
    return { path: '/v1/completions', body: JSON.stringify({ ...common, prompt: PROMPT, max_tokens: MOST_TOKENS }) };
  }
  const messages = [{ role: 'user', content: PROMPT }];
  return { path: '/v1/chat/completions', body: JSON.stringify({ ...common, messages, max_tokens: MOST_TOKENS }) };
}

/** A request of the gateway to itself, with the credential of the one who asked for the probe. */
function inner(request: ServerRequest, body: string): ServerRequest {
  return {
    method: 'POST',
    path: request.path,
    query: '',
    header: (name) => (name.startsWith('content-') || name === 'accept-encoding' ? null : request.header(name)),
    headers: () => [],
    remoteAddress: () => request.remoteAddress(),
    readBody: () => Buffer.from(body),
    forgetBody() {},
    onGone() {},
  };
}

function messageOf(answer: ServerResponse): string {
  if (answer.kind !== 'whole' || answer.body === null) return `status ${answer.status}`;
  try {
    const text = typeof answer.body === 'string' ? answer.body : Buffer.from(answer.body).toString('utf8');
    return String((JSON.parse(text) as { error?: { message?: unknown } }).error?.message);
  } catch {
    return `status ${answer.status}`;
  }
}
