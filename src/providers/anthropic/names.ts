import type { Notes } from './notes.ts';

const LEGAL_TOOL_NAME = /^[a-zA-Z0-9_-]{1,64}$/;
const LEGAL_CALL_ID = /^[a-zA-Z0-9_-]+$/;
/** 64 less an underscore and eight digits of hash. */
const LONGEST_STEM = 55;

/**
 * The tool's name as Anthropic accepts it; a changed one is noted, so that the answer can be mapped back.
 *
 * The same name always gives the same result, so that a replayed history matches the declared tools.
 *
 * @see specs/anthropic.md §3.2: `^[a-zA-Z0-9_-]{1,64}$`
 */
export function upstreamToolName(name: string, notes: Notes): string {
  if (LEGAL_TOOL_NAME.test(name)) return name;
  const legal = legalised(name);
  notes.toolNames.set(legal, name);
  return legal;
}

/** The tool call's id as Anthropic accepts it, the same for the call and for its result. */
export function upstreamCallId(id: string): string {
  return LEGAL_CALL_ID.test(id) ? id : legalised(id);
}

function legalised(text: string): string {
  const stem = text.replace(/[^a-zA-Z0-9_-]/g, '_').slice(0, LONGEST_STEM);
  return `${stem}_${fingerprint(text)}`;
}

/** FNV-1a over UTF-16 units, eight hex digits: tells apart names that differ only where they are cut or replaced. */
function fingerprint(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
