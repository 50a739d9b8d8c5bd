/** What the parts of the translation leave for the headers, for the answer and for the log. One per request. */
export interface Notes {
  /** Parameters that were left out. */
  readonly dropped: Set<string>;
  /** Values that the request needs in `anthropic-beta`. */
  readonly betas: Set<string>;
  /** Changed tool names: as sent upstream -> as the client knows them. */
  readonly toolNames: Map<string, string>;
  /** Client's names of tools declared with `type: "custom"`. */
  readonly customTools: Set<string>;
  /** How many of the first `prompt_cache_breakpoint`s to pass over, because only four fit. */
  breakpointsToSkip: number;
}

/** Empty notes. */
export function newNotes(): Notes {
  return { dropped: new Set(), betas: new Set(), toolNames: new Map(), customTools: new Set(), breakpointsToSkip: 0 };
}
