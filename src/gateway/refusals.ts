import { ERRORS, type GatewayError, gatewayError } from '../core/errors.ts';
import type { Refusal } from '../providers/provider.ts';
import type { RouteError } from '../router/route.ts';
import type { BodyFault } from '../transport/server.ts';
import type { JsonFault } from '../wire/json-splice.ts';

/** Why a body could not be read, in the client's terms. */
export function bodyFault(fault: BodyFault, limit: number): GatewayError {
  switch (fault.kind) {
    case 'too-large':
      return gatewayError(
        'body-too-large',
        `The request body is larger than ${limit} bytes (general_settings.max_request_size_mb). ${fault.message}`,
        {
          param: 'content-length',
        },
      );
    case 'timeout':
      return gatewayError('body-timeout', `The request body did not arrive in time. ${fault.message}`);
    case 'unknown-encoding':
      return gatewayError(
        'unsupported-encoding',
        `${fault.message} Send the body plain, or as gzip, deflate, br or zstd.`,
        {
          param: 'content-encoding',
        },
      );
    case 'bad-encoding':
    case 'client-gone':
      return gatewayError('malformed-body', fault.message);
  }
}

/** Where the body stops being a JSON object, with the words around the place. */
export function jsonFault(fault: JsonFault, bytes: Uint8Array): GatewayError {
  if (bytes.length === 0) {
    return gatewayError(
      'malformed-body',
      'The request has no body. Send a JSON object with content-type application/json.',
    );
  }
  return gatewayError(
    'malformed-body',
    `The request body is not a JSON object: ${fault.message} at byte ${fault.offset}.`,
  );
}

/** Why a provider cannot be asked this, with LiteLLM's class in front where it has one. */
export function refusalError(refusal: Refusal): GatewayError {
  const kind = refusal.reason === 'misconfigured' ? 'model-disabled' : refusal.reason;
  const { className } = ERRORS[kind];
  const message = className === null ? refusal.message : `litellm.${className}: ${refusal.message}`;
  return gatewayError(kind, message, { param: refusal.param });
}

/** Why no deployment can be tried, with what to do. */
export function routeError(error: RouteError, callType: string): GatewayError {
  switch (error.kind) {
    case 'unknown-model': {
      const nearest = error.nearest.length === 0 ? '' : ` Did you mean ${error.nearest.join(' or ')}?`;
      return gatewayError(
        'unknown-model',
        `${callType}: Invalid model name passed in model=${error.model}. Call \`/v1/models\` to view available models for your key.${nearest}`,
        { param: 'model' },
      );
    }
    case 'all-disabled':
      return gatewayError(
        'model-disabled',
        error.missingVariables.length > 0
          ? `The model ${error.model} is configured but has no credentials: set ${error.missingVariables.join(', ')} in the gateway's environment and restart it.`
          : `Every deployment of the model ${error.model} is disabled; GET /health lists the reasons.`,
        { param: 'model' },
      );
    case 'tag-not-allowed':
      return gatewayError(
        'tag-not-allowed',
        `Not allowed to access model due to tags configuration. No deployment of ${error.model} has the tags [${error.tags.join(', ')}].`,
      );
    case 'context-window':
      return gatewayError(
        'context-window',
        `litellm.ContextWindowExceededError: The prompt has about ${error.promptTokens} tokens and no deployment of ${error.model} takes more than ${error.largest}. Shorten it, or configure context_window_fallbacks.`,
        { param: null },
      );
  }
}
