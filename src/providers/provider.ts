import type { HeaderPair } from '../core/http.ts';
import type { Failure } from '../core/outcome.ts';
import type { Deployment } from '../core/snapshot.ts';
import type { Usage } from '../core/usage.ts';
import type { JsonBody } from '../wire/json-splice.ts';
import type { ChatChunk, ChatCompletion } from '../wire/openai/chat.ts';
import type { SseEvent } from '../wire/sse.ts';

/**
 * The contract of a provider: pure translation between the hub and one API.
 *
 * No sockets, no clock, no randomness: what a pure function may not find out comes in the `CallContext`. A provider
 * is a folder and a line in `registry.ts`; the conformance suite runs over every registered one.
 */
export interface Provider {
  /** The prefix in `litellm_params.model`: `openai`, `azure`, `anthropic`, `groq` … */
  readonly id: string;
  /** For people and for error messages, in LiteLLM's spelling before `Exception`: `OpenAI`, `Azure`, `Anthropic`. */
  readonly name: string;
  /** Its `gen_ai.provider.name` where OpenTelemetry's conventions have another than `id`. */
  readonly conventionalName?: string;
  /** Where settings come from when the deployment has none, names of environment variables first to last. */
  readonly defaults: ProviderDefaults;
  readonly chat?: Facet;
  readonly completions?: Facet;
  readonly embeddings?: Facet;
  /** Whether this model answers chat only, so that legacy completions have to be translated; absent: never. */
  isChatModel?(model: string): boolean;
  /**
   * What an answer that is not a success means.
   *
   * Called for every status outside 200–299, and by `reply` for errors inside a 200.
   */
  classify(head: ReplyHead, body: Uint8Array): Failure;
}

export interface ProviderDefaults {
  /** Base URL without a trailing slash; null when a deployment must give one. */
  readonly baseUrl: string | null;
  readonly apiKeyVariables: readonly string[];
  readonly baseUrlVariables: readonly string[];
  readonly apiVersionVariables: readonly string[];
  /** False for hosts that answer without a key (a local Ollama). */
  readonly needsKey: boolean;
}

/** What clients speak to us; also what a facet speaks when bytes may pass through. */
export type Dialect = 'openai-chat' | 'openai-completions' | 'openai-embeddings';

/** One endpoint family of one provider. */
export interface Facet {
  /** Non-null when the upstream speaks this client dialect itself, so that bytes pass through untouched. */
  readonly speaks: Dialect | null;
  /** Builds the request; never throws on bad client input, but says what is wrong. */
  request(call: ClientCall, context: CallContext): UpstreamRequest | Refusal;
  /** Reads a complete answer with a 2xx status. */
  reply(head: ReplyHead, body: Uint8Array, context: CallContext): Reply;
  /** A decoder for one streamed answer. */
  stream(context: CallContext): StreamDecoder;
}

/** What the client asked for, scanned once. */
export interface ClientCall {
  readonly dialect: Dialect;
  /** The client's bytes without the gateway's own controls; `json()` parses on first use. */
  readonly body: JsonBody;
  readonly isStreaming: boolean;
  /** Whether the client asked for the usage chunk (`stream_options.include_usage`). */
  readonly wantsUsage: boolean;
}

/** What a pure translator needs to be told. */
export interface CallContext {
  readonly deployment: Deployment;
  /** Upstream model, wildcards already filled in. */
  readonly model: string;
  /** Model name the client used. */
  readonly requestedModel: string;
  /** Random part for ids that the answer needs, without prefix: 32 hex characters. */
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly isStreaming: boolean;
  readonly wantsUsage: boolean;
  /** Whether usage may be asked for upstream (`always_include_stream_usage: false` forbids it). */
  readonly askUsage: boolean;
  readonly dropParams: boolean;
  readonly modifyParams: boolean;
  /** Client headers that the transport rules allow upstream, lower-case names. */
  readonly forwardedHeaders: readonly HeaderPair[];
  /** What `request` noted for the answer (`UpstreamRequest.answer`); null while the request is being built. */
  readonly answer: AnswerHints | null;
}

/** What a provider must remember of a translated request to read the answer to it. */
export interface AnswerHints {
  /** The tool that stands for `response_format`: its input is the answer's text. Null when there is none. */
  readonly jsonTool: JsonTool | null;
  /** Tool names as sent upstream to the client's own; only those that had to be changed. */
  readonly toolNames: ReadonlyMap<string, string>;
  /** Tools the client declared with `type: "custom"`, by the client's names: their calls carry free text. */
  readonly customTools: ReadonlySet<string>;
  /** The client asked with `functions`, so the answer speaks `function_call`. */
  readonly legacyFunctions: boolean;
}

/** A tool made up by the gateway, whose input is the JSON that the client asked for. */
export interface JsonTool {
  /** As sent upstream. */
  readonly name: string;
  /** The member of the input that holds the answer, when the client's schema had no object at its root; else null. */
  readonly wrapper: string | null;
}

export interface UpstreamRequest {
  readonly kind: 'request';
  readonly method: 'POST';
  /** Absolute URL with query. */
  readonly url: string;
  /** Everything but host, content-length, connection and accept-encoding, which the transport sets. */
  readonly headers: readonly HeaderPair[];
  /** Pieces that follow one another: a large body is not copied together for one changed member. */
  readonly body: readonly Uint8Array[];
  /** Parameters left out because the upstream does not take them. */
  readonly dropped: readonly string[];
  /** Handed back in `CallContext.answer` when the answer arrives; absent when the answer needs nothing. */
  readonly answer?: AnswerHints;
}

/** The request cannot be put to this provider, and no call was made. */
export interface Refusal {
  readonly kind: 'refused';
  readonly reason: 'unsupported-parameters' | 'invalid-parameter' | 'misconfigured';
  readonly message: string;
  readonly param: string | null;
}

export interface ReplyHead {
  readonly status: number;
  /** Lower-case name to value; several lines of one name joined with `, `. */
  header(name: string): string | null;
}

export type Reply =
  /** Same dialect: these bytes are the client's answer as they are. */
  | { readonly kind: 'bytes'; readonly body: Uint8Array; readonly usage: Usage | null; readonly finish: ReplyFinish }
  /** Translated to the hub. */
  | { readonly kind: 'chat'; readonly chat: ChatCompletion; readonly usage: Usage | null; readonly finish: ReplyFinish }
  /** A 200 that is none: an error body, or something that is no answer at all. */
  | { readonly kind: 'failed'; readonly outcome: Failure };

/** Only what the router asks about an answer: a filtered one may go along `content_policy_fallbacks`. */
export type ReplyFinish = 'normal' | 'content-filter';

/** Pushed with whole events; must give the same calls for any split of the bytes into reads. */
export interface StreamDecoder {
  push(event: SseEvent, sink: StreamSink): void;
  /** The body ended by HTTP's rules; the decoder says `complete` here if its protocol allows that, else `fail`. */
  end(sink: StreamSink): void;
}

/**
 * What a decoder finds in the stream.
 *
 * Within one `push`, output (`forward`, `chunk`) comes in order. After `fail` or `complete` nothing more is called.
 */
export interface StreamSink {
  /** Same dialect: this event goes to the client as it is. */
  forward(event: SseEvent): void;
  /** A translated chunk for the client's encoder. */
  chunk(chunk: ChatChunk): void;
  /** The output so far means something to a user: the commit point (B13). Repeated calls are harmless. */
  meaningful(): void;
  /** The latest totals; each call replaces the one before. */
  usage(usage: Usage): void;
  /** The protocol says the answer is whole. The encoder writes its own end (`[DONE]`) unless it was forwarded. */
  complete(): void;
  /** An error event, or bytes that make no sense. */
  fail(outcome: Failure): void;
}
