import { type GatewayError, gatewayError } from '../core/errors.ts';
import type { Principal } from '../core/identity.ts';
import type { JsonObject } from '../core/json.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { memberOf } from '../endpoints/check.ts';
import type { EndpointMatch } from '../endpoints/registry.ts';
import { requestSize } from '../endpoints/request-size.ts';
import type { ClientCall } from '../providers/provider.ts';
import { isClientList } from '../router/request.ts';
import type { ServerRequest } from '../transport/server.ts';
import { edited, type JsonBody, scanObject } from '../wire/json-splice.ts';
import { authenticate } from './authenticate.ts';
import { type Controls, readControls } from './controls.ts';
import type { GatewayPorts, Lease } from './ports.ts';
import { bodyFault, jsonFault } from './refusals.ts';

/** What the client asked for, once everything about it is known to be sound. */
export interface Accepted {
  readonly kind: 'accepted';
  readonly principal: Principal;
  readonly call: ClientCall;
  readonly controls: Controls;
  readonly model: string;
  readonly lease: Lease;
}

/** Why it is not, with the model it named as far as reading got. */
export interface NotAccepted {
  readonly kind: 'not-accepted';
  readonly error: GatewayError;
  readonly model: string;
  /** Who asked, as far as anybody knows. */
  readonly principal: Principal | null;
}

/** The client left before its request was whole. */
export interface ClientGone {
  readonly kind: 'client-gone';
  readonly model: '';
}

/**
 * Everything before the router: who asks, the body found sound, the gateway's own words taken out of it, admission.
 *
 * A body is read only for a caller we know.
 */
export async function accept(
  request: ServerRequest,
  match: EndpointMatch,
  snapshot: Snapshot,
  ports: Pick<GatewayPorts, 'keys' | 'admission' | 'ledger'>,
): Promise<Accepted | NotAccepted | ClientGone> {
  const principal = await authenticate(request, snapshot, ports.keys);
  if ('message' in principal) return refused(principal);
  const refusedTo = (error: GatewayError, model = '') => refused(error, model, principal);
  const full = ports.ledger.canAccept();
  if (full !== null) return refusedTo(full);

  const bytes = await request.readBody();
  if (!(bytes instanceof Uint8Array)) {
    if (bytes.kind === 'client-gone') return { kind: 'client-gone', model: '' };
    return refusedTo(bodyFault(bytes, snapshot.server.maxRequestBytes));
  }
  const body = scanObject(bytes);
  if (body.kind === 'fault') return refusedTo(jsonFault(body, bytes));

  const controls = readControls(request, body, snapshot.server.allowClientCredentials);
  if ('kind' in controls) return refusedTo(controls);
  const model = requestedModel(body, match, snapshot);
  if (typeof model !== 'string') return refusedTo(model);
  const wrong = match.endpoint.check(body) ?? missingUser(controls, snapshot);
  if (wrong !== null) return refusedTo(wrong, model);

  // Whatever could fail comes before the lease, so that none is left unsettled.
  const call = clientCall(body, controls, match, snapshot);
  const lease = await ports.admission.admit({
    principal,
    path: `/${match.endpoint.operation}`,
    method: request.method,
    model,
    size: () => requestSize(bytes, call.body, call.dialect, overridesOf(controls)),
    tags: controls.tags,
    routing: controls.routing,
    customer: controls.user,
  });
  if ('kind' in lease) return refusedTo(lease, model);
  return { kind: 'accepted', principal, controls, model, lease, call };
}

/** Members that a fallback may put in the place of the body's: they count like the body's own. */
function overridesOf({ routing: { fallbacks } }: Controls): readonly JsonObject[] {
  if (!isClientList(fallbacks)) return [];
  return fallbacks.map(({ overrides }) => overrides).filter((overrides) => overrides !== null);
}

function refused(error: GatewayError, model = '', principal: Principal | null = null): NotAccepted {
  return { kind: 'not-accepted', error, model, principal };
}

/** Longer names name nothing, and would be kept, compared and logged. */
const LONGEST_MODEL = 512;

/** The operator's forced model, else the path's, else the body's (litellm.md §2.1). */
function requestedModel(body: JsonBody, match: EndpointMatch, snapshot: Snapshot): string | GatewayError {
  const { completionModel, embeddingModel } = snapshot.server;
  const forced = match.endpoint.dialect === 'openai-embeddings' ? embeddingModel : completionModel;
  const model = forced ?? match.pathModel ?? (body.has('model') ? memberOf(body, 'model') : undefined);
  if (typeof model === 'string' && model.length > LONGEST_MODEL) {
    const message = `'model' is longer than ${LONGEST_MODEL} characters.`;
    return gatewayError('invalid-parameter', message, { param: 'model' });
  }
  if (typeof model === 'string' && model !== '') return model;
  const message = "The request has no 'model'. Name one of those that GET /v1/models lists.";
  return gatewayError('invalid-parameter', message, { param: 'model' });
}

function missingUser(controls: Controls, snapshot: Snapshot): GatewayError | null {
  if (!snapshot.server.requireUser || controls.user !== null) return null;
  const message = 'BadRequest please pass param=user in request. general_settings.enforce_user_param is on.';
  return gatewayError('missing-user', message, { param: 'user' });
}

function clientCall(body: JsonBody, controls: Controls, match: EndpointMatch, snapshot: Snapshot): ClientCall {
  const isStreaming = body.has('stream') && memberOf(body, 'stream') === true;
  const options = isStreaming && body.has('stream_options') ? memberOf(body, 'stream_options') : null;
  const asked =
    typeof options === 'object' && options !== null && 'include_usage' in options && options.include_usage === true;
  return {
    dialect: match.endpoint.dialect,
    body: edited(body, controls.edits),
    isStreaming,
    wantsUsage: asked || snapshot.server.streamUsage === 'always',
  };
}
