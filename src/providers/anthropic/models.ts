/**
 * What each Claude model accepts (specs/anthropic.md §8, Anthropic's "Models overview", "Thinking" and "Effort",
 * read November 2026). Data only: the rules that use it stand in the files of their subject.
 */
export interface ModelTraits {
  /** Most output tokens the API accepts as `max_tokens`. */
  readonly maxOutput: number;
  /** `any`: temperature, top_p and top_k; `one`: temperature or top_p, not both; `none`: a 400 for each of them. */
  readonly sampling: 'any' | 'one' | 'none';
  /** Forms of `thinking` that the model accepts; empty for models that cannot think. */
  readonly thinking: readonly ThinkingForm[];
  /** Highest effort of an adaptive model. Every model with `xhigh` has `max` as well. */
  readonly effort: 'max' | 'xhigh+max' | null;
  /** Whether thinking text stays hidden unless `display: "summarized"` asks for it. */
  readonly hidesThinking: boolean;
  /** Whether `tool_choice` may force a tool (`any`, `tool`). */
  readonly forcedTools: boolean;
  /** Whether the conversation may end with an assistant turn for the model to continue. */
  readonly prefill: boolean;
  /** Whether `output_config.format` and strict tools exist. */
  readonly nativeJson: boolean;
}

export type ThinkingForm = 'adaptive' | 'enabled' | 'disabled' | 'between_tools';

const NEWEST: ModelTraits = {
  maxOutput: 128_000,
  sampling: 'none',
  thinking: ['adaptive'],
  effort: 'xhigh+max',
  hidesThinking: true,
  forcedTools: true,
  prefill: false,
  nativeJson: true,
};

const SONNET_4_6: ModelTraits = {
  ...NEWEST,
  sampling: 'any',
  thinking: ['adaptive', 'enabled', 'disabled'],
  effort: 'max',
  hidesThinking: false,
};

const SONNET_4_5: ModelTraits = {
  maxOutput: 64_000,
  sampling: 'one',
  thinking: ['enabled', 'disabled'],
  effort: null,
  hidesThinking: false,
  forcedTools: true,
  prefill: true,
  nativeJson: true,
};

const SONNET_4: ModelTraits = { ...SONNET_4_5, sampling: 'any', nativeJson: false };

const CLAUDE_3: ModelTraits = { ...SONNET_4, maxOutput: 4096, thinking: [] };

/** A model that is no Claude, behind a server that speaks this API: nothing is assumed that it may not have. */
const UNKNOWN: ModelTraits = { ...SONNET_4, maxOutput: 4096 };

/** Beginnings of model names; the longest that fits counts. */
const MODELS: Readonly<Record<string, ModelTraits>> = {
  'claude-sonnet-5-5': { ...NEWEST, thinking: ['adaptive', 'between_tools'], forcedTools: false },
  'claude-opus-5-5': { ...NEWEST, forcedTools: false },
  'claude-haiku-5-5': { ...NEWEST, thinking: ['adaptive', 'disabled'] },
  'claude-fable-5-': { ...NEWEST, forcedTools: false },
  'claude-mythos-5-': { ...NEWEST, forcedTools: false },
  'claude-fable-5': NEWEST,
  'claude-mythos-5': NEWEST,
  'claude-opus-5': { ...NEWEST, thinking: ['adaptive', 'disabled'] },
  'claude-sonnet-5': { ...NEWEST, thinking: ['adaptive', 'disabled'] },
  'claude-opus-4-8': { ...NEWEST, thinking: ['adaptive', 'disabled'] },
  'claude-opus-4-7': { ...NEWEST, thinking: ['adaptive', 'disabled'] },
  'claude-opus-4-6': SONNET_4_6,
  'claude-sonnet-4-6': SONNET_4_6,
  'claude-opus-4-5': SONNET_4_5,
  'claude-sonnet-4-5': SONNET_4_5,
  'claude-haiku-4-5': SONNET_4_5,
  'claude-opus-4-1': { ...SONNET_4_5, maxOutput: 32_000 },
  'claude-opus-4': { ...SONNET_4, maxOutput: 32_000 },
  'claude-sonnet-4': SONNET_4,
  'claude-3-7-sonnet': { ...CLAUDE_3, maxOutput: 64_000, thinking: ['enabled', 'disabled'] },
  'claude-3-5': { ...CLAUDE_3, maxOutput: 8192 },
  'claude-3': CLAUDE_3,
  'claude-2': CLAUDE_3,
  'claude-instant': CLAUDE_3,
  claude: NEWEST,
};

const LONGEST_FIRST = Object.entries(MODELS).sort(([a], [b]) => b.length - a.length);

/** Dated ids of Fable and Mythos 5 (`claude-fable-5-20260801`) are 5, not 5-1 and later. */
const DATED_FIVE = /^(claude-(?:fable|mythos)-5)-\d{8}/;

/** What the model accepts; unknown Claude names count as the newest, other names as the most modest. */
export function modelTraits(model: string): ModelTraits {
  const name = model.toLowerCase().replace(DATED_FIVE, '$1');
  const found = LONGEST_FIRST.find(([prefix]) => name.startsWith(prefix));
  return found === undefined ? UNKNOWN : found[1];
}
