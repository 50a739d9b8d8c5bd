/**
 * Tokens of one answer, by kind, in the words of the OpenTelemetry GenAI conventions.
 *
 * `input` includes cache reads and writes and `output` includes reasoning, whatever the provider's own arithmetic
 * is; the provider's decoder does the sum once (translation.md §2).
 */
export interface Usage {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  /** The part of `cacheWrite` kept for an hour, which costs more. */
  readonly cacheWriteHour: number;
  readonly reasoning: number;
  readonly audioInput: number;
  readonly audioOutput: number;
}

/** No tokens at all. */
export const NO_USAGE: Usage = {
  input: 0,
  output: 0,
  cacheRead: 0,
  cacheWrite: 0,
  cacheWriteHour: 0,
  reasoning: 0,
  audioInput: 0,
  audioOutput: 0,
};
