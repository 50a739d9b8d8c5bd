import type { GatewayError } from '../core/errors.ts';
import type { Deployment } from '../core/snapshot.ts';
import type { ClientCall, Dialect, Facet, Provider } from '../providers/provider.ts';
import type { JsonBody } from '../wire/json-splice.ts';
import type { ChatChunk, ChatCompletion } from '../wire/openai/chat.ts';

/** A path family that clients may call: a file of its own and a line in `registry.ts`. */
export interface Endpoint {
  /** For logs and metrics: `chat-completions`. */
  readonly id: string;
  readonly dialect: Dialect;
  /** How LiteLLM names the call in its message about an unknown model: `/chat/completions`. */
  readonly callType: string;
  /** Last part of the path, under each prefix of `registry.ts`: `chat/completions`. */
  readonly operation: string;
  /** What is wrong with the client's body before any provider is asked, or null. */
  check(body: JsonBody): GatewayError | null;
  /** Whether this deployment can serve the call, and how; null when its provider has nothing for this endpoint. */
  serve(provider: Provider, deployment: Deployment, model: string): Service | null;
  /** Writes the client's dialect. */
  readonly encoder: Encoder;
}

/** How one provider serves one endpoint. */
export interface Service {
  readonly facet: Facet;
  /** The client's call in the words that the facet takes, when they are not the client's own. */
  adapt(call: ClientCall): ClientCall | GatewayError;
  /** Whether what the facet gives back is the client's dialect byte for byte. */
  readonly passThrough: boolean;
}

/** Hub answers and failures as the client's dialect writes them. */
export interface Encoder {
  reply(chat: ChatCompletion): Uint8Array;
  /** One chunk as a whole event, or null when this dialect has nothing to say for it. */
  chunk(chunk: ChatChunk): Uint8Array | null;
  /** What ends a stream that is whole. */
  readonly done: Uint8Array;
  /** What keeps a silent stream alive without meaning anything. */
  readonly keepAlive: Uint8Array;
  /** Body of an answer that failed before anything was sent. */
  error(error: GatewayError, status: number): string;
  /** Event that ends a stream which broke after its first byte. */
  errorEvent(error: GatewayError, status: number): Uint8Array;
}

/** The service of a facet that speaks the client's own dialect. */
export function direct(facet: Facet, dialect: Dialect): Service {
  return { facet, adapt: (call) => call, passThrough: facet.speaks === dialect };
}
