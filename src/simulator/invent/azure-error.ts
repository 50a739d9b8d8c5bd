import type { HeaderPair } from '../../core/http.ts';
import type { JsonObject } from '../../core/json.ts';
import { DEFAULT_WAIT, type ErrorContext, type FailureName, retryHeaders } from '../failure.ts';
import { openAiError } from './openai-error.ts';

/** The `error` member of an Azure error (azure.md §5); what Azure passes on from the model speaks as OpenAI. */
export function azureError(name: FailureName, context: ErrorContext): JsonObject {
  const seconds = Math.ceil((context.retryAfter ?? DEFAULT_WAIT) / 1000);
  const say = (code: string, message: string): JsonObject => ({ code, message: context.message ?? message });
  switch (name) {
    case 'missing-key':
    case 'invalid-key':
      return say(
        '401',
        'Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.',
      );
    case 'forbidden':
      return say('403', 'Access denied due to Virtual Network/Firewall rules.');
    case 'model-not-found':
      return {
        type: 'invalid_request_error',
        ...say(
          'DeploymentNotFound',
          'The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.',
        ),
      };
    case 'unknown-path':
      return say('404', 'Resource not found');
    case 'timeout':
      return say('Timeout', 'The operation was timeout.');
    case 'rate-limit':
      return say(
        '429',
        `Requests to the ChatCompletions_Create Operation under Azure OpenAI API have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after ${seconds} seconds.`,
      );
    case 'server-error':
      return say('InternalServerError', 'The server had an error while processing your request. Sorry about that!');
    case 'bad-gateway':
      return say('502', 'Bad gateway');
    case 'gateway-timeout':
      return say('504', 'The request timed out.');
    case 'unavailable':
    case 'overloaded':
      return say(
        'ServiceUnavailable',
        'The service is temporarily unable to process your request. Please try again later.',
      );
    case 'content-filter':
      return contentFilterError(context);
    case 'invalid-request':
    case 'context-length':
    case 'billing':
    case 'conflict':
    case 'too-large':
    case 'unprocessable':
    case 'insufficient-quota':
      return openAiError(name, context);
  }
}

function contentFilterError(context: ErrorContext): JsonObject {
  return {
    message:
      context.message ??
      "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry. To learn more about our content filtering policies please read our documentation: https://go.microsoft.com/fwlink/?linkid=2198766",
    type: null,
    param: 'prompt',
    code: 'content_filter',
    status: 400,
    innererror: {
      code: 'ResponsibleAIPolicyViolation',
      content_filter_result: {
        hate: { filtered: false, severity: 'safe' },
        self_harm: { filtered: false, severity: 'safe' },
        sexual: { filtered: false, severity: 'safe' },
        violence: { filtered: true, severity: 'medium' },
      },
    },
  };
}

/** Headers of an Azure error; a rate limit says its wait in milliseconds too. */
export function azureHeaders(name: FailureName, context: ErrorContext): HeaderPair[] {
  const isLimit = name === 'rate-limit';
  const precise: HeaderPair[] = isLimit ? [['retry-after-ms', String(context.retryAfter ?? DEFAULT_WAIT)]] : [];
  return [
    ['apim-request-id', context.requestId],
    ['x-ms-region', 'East US 2'],
    ...retryHeaders(context, isLimit),
    ...precise,
  ];
}
