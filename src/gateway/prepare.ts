import { type GatewayError, gatewayError } from '../core/errors.ts';
import type { Deployment, Snapshot } from '../core/snapshot.ts';
import type { Service } from '../endpoints/endpoint.ts';
import type { EndpointMatch } from '../endpoints/registry.ts';
import type { CallContext, ClientCall, Provider, UpstreamRequest } from '../providers/provider.ts';
import { PROVIDERS } from '../providers/registry.ts';
import type { ServerRequest } from '../transport/server.ts';
import { edited } from '../wire/json-splice.ts';
import type { Accepted } from './accept.ts';
import { withCredentials } from './client-credentials.ts';
import type { Controls } from './controls.ts';
import { forwardedHeaders } from './headers.ts';
import { refusalError } from './refusals.ts';
import type { AttemptDecision, Story } from './story.ts';

/** Where a prepared call stands between the client and one deployment. */
export interface Target {
  readonly accepted: Accepted;
  readonly decision: AttemptDecision;
  readonly match: EndpointMatch;
  readonly snapshot: Snapshot;
}

/** A call in the provider's own words, ready to be sent. */
export interface Prepared {
  readonly provider: Provider;
  readonly service: Service;
  readonly request: UpstreamRequest;
  readonly context: CallContext;
}

/** What the exchange knows that the target does not. */
interface CallFacts {
  /** 32 fresh hexadecimal characters. */
  readonly id: string;
  /** False for a deployment that is known to refuse the question. */
  readonly mayAskUsage: boolean;
}

/** What a pure translator is told about this attempt. */
export function callContext(
  { accepted, decision, snapshot }: Target,
  request: ServerRequest,
  story: Story,
  { id, mayAskUsage }: CallFacts,
): CallContext {
  const { server } = snapshot;
  const { call, controls, model } = accepted;
  return {
    deployment: withParameters(withCredentials(decision.deployment, controls.credentials), controls),
    model: decision.model,
    requestedModel: model,
    id,
    created: story.created,
    isStreaming: call.isStreaming,
    wantsUsage: call.wantsUsage,
    askUsage: mayAskUsage && server.streamUsage !== 'never',
    dropParams: controls.dropParams ?? decision.deployment.dropParams ?? server.dropParams,
    modifyParams: server.modifyParams,
    forwardedHeaders: [
      ...forwardedHeaders(request, snapshot, story.attempts.length === 0),
      ...story.traceHeaders(),
      ...controls.extraHeaders,
    ],
    answer: null,
  };
}

/** `additional_drop_params` and `allowed_openai_params` of the client join the operator's (litellm.md §2.9). */
function withParameters(deployment: Deployment, { additionalDropParams, allowedParams }: Controls): Deployment {
  if (additionalDropParams.length === 0 && allowedParams.length === 0) return deployment;
  return {
    ...deployment,
    additionalDropParams: [...deployment.additionalDropParams, ...additionalDropParams],
    allowedParams: [...deployment.allowedParams, ...allowedParams],
  };
}

/** Translates the client's call for the chosen deployment, or says why its provider cannot be asked this. */
export function prepare({ accepted, decision, match }: Target, context: CallContext): Prepared | GatewayError {
  const { deployment } = decision;
  const provider = PROVIDERS.get(deployment.provider);
  if (provider === undefined) throw new Error(`deployment ${deployment.id} names no registered provider`);
  const service = match.endpoint.serve(provider, deployment, decision.model);
  if (service === null) return unsupportedEndpoint(provider, match.endpoint.id);
  const adapted = service.adapt(overridden(accepted.call, decision));
  if ('message' in adapted) return adapted;
  const request = service.facet.request(adapted, context);
  if (request.kind === 'refused') return refusalError(request);
  return { provider, service, request, context: { ...context, answer: request.answer ?? null } };
}

/** The provider's name in LiteLLM's messages. */
export function providerName(deployment: Deployment): string {
  return PROVIDERS.get(deployment.provider)?.name ?? deployment.provider;
}

/** The call as a client's fallback entry changes it for this target. */
function overridden(call: ClientCall, { overrides }: AttemptDecision): ClientCall {
  if (overrides === null) return call;
  const edits = Object.entries(overrides).map(
    ([key, value]) => ({ kind: 'set', key, raw: JSON.stringify(value) }) as const,
  );
  return { ...call, body: edited(call.body, edits) };
}

function unsupportedEndpoint(provider: Provider, endpoint: string): GatewayError {
  const message = `${provider.name} does not serve ${endpoint}. Choose a model of a provider that does.`;
  return gatewayError('unsupported-endpoint', message);
}
