import { isObject, type Json, type JsonObject } from '../../core/json.ts';

/** The choices of an answer or a chunk that are objects. */
export function choicesOf(json: JsonObject): readonly JsonObject[] {
  return Array.isArray(json.choices) ? (json.choices as readonly Json[]).filter(isObject) : [];
}

/**
 * Whether a 200's object is an error all the same.
 *
 * `error` as everyone has it and the official clients test it; `object: "error"` of old vLLM and Mistral; where an
 * answer should be, `detail` (FastAPI), `message`, `errors` (Cloudflare) and `base_resp` (MiniMax, 0 is success).
 */
export function isErrorObject(json: JsonObject, list: 'choices' | 'data' = 'choices'): boolean {
  if (json.error) return true;
  if (Array.isArray(json[list])) return false;
  if (isObject(json.base_resp)) return json.base_resp.status_code !== 0;
  return json.object === 'error' || Boolean(json.detail || json.message || json.errors);
}

/** Finish reasons by which a host says that it failed half-way (z.ai, Mistral, OpenRouter). */
const FAILED: ReadonlySet<unknown> = new Set(['error', 'network_error']);

/** The finish reason that means a failure, or null. */
export function failedFinish(json: JsonObject): string | null {
  const failed = choicesOf(json).find((choice) => FAILED.has(choice.finish_reason));
  return failed === undefined ? null : String(failed.finish_reason);
}

/**
 * Which choices of a stream have ended, told only of the chunks that end one.
 *
 * Reading the index of every delta would cost a parse each; so a choice counts as begun when one with a higher index
 * has ended, or when output came after the last end. What is missed: several choices asked for, the body cut exactly
 * between one's end and another's next word, at a host that sends no `[DONE]`.
 */
export class ChoiceEnds {
  readonly #ended = new Set<number>();
  #highest = -1;
  #hasOutputSince = false;

  output(): void {
    this.#hasOutputSince = true;
  }

  /** Notes the choices that end in this chunk. */
  ends(chunk: JsonObject): void {
    for (const choice of choicesOf(chunk)) {
      if (typeof choice.finish_reason !== 'string' || choice.finish_reason === '') continue;
      const index = typeof choice.index === 'number' ? choice.index : 0;
      this.#ended.add(index);
      this.#highest = Math.max(this.#highest, index);
      this.#hasOutputSince = false;
    }
  }

  get areComplete(): boolean {
    return this.#highest >= 0 && this.#ended.size === this.#highest + 1 && !this.#hasOutputSince;
  }
}
