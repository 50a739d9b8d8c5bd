import type { HeaderPair } from '../../core/http.ts';
import type { Json } from '../../core/json.ts';
import type { ReasoningCount } from '../../wire/openai/usage.ts';
import type { CallContext } from '../provider.ts';

/**
 * How one host differs from OpenAI, as data; `PURE` is OpenAI itself.
 *
 * Everything here costs a change to the client's bytes, so a rule is added only for what a host would refuse.
 */
export interface Rules {
  /** `ask`: the host takes `stream_options`; `refuse`: it answers 4xx, and sends usage anyway or never. */
  readonly streamOptions: 'ask' | 'refuse';
  /** `from` to `to`. When the client sent both, `from` is left out. */
  readonly renames: Readonly<Record<string, string>>;
  /** Left out without a question: their loss does not change what the answer says. */
  readonly advisory: readonly string[];
  /** Left out under `drop_params`, else the request is refused, as LiteLLM does. */
  readonly unsupported: readonly ModelParameters[];
  /** Changes inside members, which are parsed for it. */
  readonly rewrites: readonly Rewrite[];
  /** Put before a model name that holds no slash. */
  readonly modelPrefix: string;
  readonly answers: AnswerRules;
  readonly headers: readonly HeaderPair[];
}

/** Parameters that some or all models of a host refuse. */
export interface ModelParameters {
  readonly models: RegExp | null;
  readonly names: readonly string[];
}

/** How a host's answers differ. */
export interface AnswerRules {
  /** `finish_reason` values that strict clients do not know, and what they mean. */
  readonly finishReasons: Readonly<Record<string, string>>;
  /** Whether `stop` is said although there are tool calls. */
  readonly toolCallsFinish: 'right' | 'says-stop';
  /** Whether `completion_tokens` leaves `reasoning_tokens` out. */
  readonly reasoning: ReasoningCount;
}

/** A change inside one member of the request. */
export interface Rewrite {
  readonly member: string;
  /** Byte strings of which one must occur before the member is parsed; empty: always. */
  readonly needles: readonly string[];
  /** Returns the very same value when there is nothing to change. */
  apply(value: Json, context: CallContext): Json;
}

/** OpenAI's own answers. */
export const PURE_ANSWERS: AnswerRules = { finishReasons: {}, toolCallsFinish: 'right', reasoning: 'inside' };

/** Nothing is changed but `model` and `stream_options`. */
export const PURE: Rules = {
  streamOptions: 'ask',
  renames: {},
  advisory: [],
  unsupported: [],
  rewrites: [],
  modelPrefix: '',
  answers: PURE_ANSWERS,
  headers: [],
};
