import type { JsonObject } from '../core/json.ts';
import { type Answer, jsonAnswer, textAnswer } from './answer.ts';
import type { Dialect } from './dialect.ts';
import { type ErrorContext, FAILURES, type FailureName } from './failure.ts';
import { anthropicError, anthropicHeaders } from './invent/anthropic-error.ts';
import { azureError, azureHeaders } from './invent/azure-error.ts';
import { openAiError, openAiHeaders } from './invent/openai-error.ts';

/**
 * A provider's error answer: status, body and headers as recorded or documented.
 *
 * Wordings: fixtures `openai/error-*`, `azure/error-*`, `anthropic/error-*`; 429, 503, 529 by the providers' pages
 * (openai.md §8, azure.md §5, anthropic.md §10, read Nov 2026). 502 and 504 are the HTML of the proxy in front.
 */
export function providerError(dialect: Dialect, name: FailureName, context: ErrorContext): Answer {
  const status = context.status ?? FAILURES[name];
  if ((status === 502 || status === 504) && dialect !== 'azure' && context.message === null) return htmlError(status);
  switch (dialect) {
    case 'openai':
      return jsonAnswer(status, openAiHeaders(name, context), { error: openAiError(name, context) }, 4);
    case 'azure':
      return jsonAnswer(status, azureHeaders(name, context), { error: azureError(name, context) });
    case 'anthropic':
      return jsonAnswer(status, anthropicHeaders(name, context), anthropicError(name, context));
  }
}

function htmlError(status: number): Answer {
  const title = `${status} ${status === 502 ? 'Bad Gateway' : 'Gateway Time-out'}`;
  const page = `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n`;
  return textAnswer(status, 'text/html', page);
}

/** The error as it stands inside a stream: OpenAI and Azure send it in a data event. */
export function streamErrorBody(dialect: Dialect, name: FailureName, context: ErrorContext): JsonObject {
  if (dialect !== 'anthropic') return { error: openAiError(name, context) };
  const { type, error } = anthropicError(name, context);
  return { type, error };
}
